"""Copy the README's pictures out of the executed labs in ``runs/notebooks/``: run ``make labs`` first."""

import base64
from pathlib import Path

import nbformat

from srlab.runs import home

# file -> (lab, how the picture's caption begins)
PICTURES = {
    "twins.png": ("00_degradation", "Two different photos"),
    "training.png": ("01_srresnet", "Validation curve"),
    "astronaut.png": ("01_srresnet", "astronaut: low resolution"),
}


def find_picture(lab: str, caption: str) -> bytes:
    """Return the PNG with that caption, the last one where a figure was redrawn."""
    cells = nbformat.read(home() / "notebooks" / f"{lab}.ipynb", 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", []) if "data" in output]
    found = [
        output.data["image/png"]
        for output in outputs
        if "image/png" in output.data and output.metadata["image/png"]["alt"].startswith(caption)
    ]
    return base64.b64decode(found[-1])


if __name__ == "__main__":
    folder = Path(__file__).parent / "images"
    folder.mkdir(exist_ok=True)
    for name, (lab, caption) in PICTURES.items():
        (folder / name).write_bytes(find_picture(lab, caption))
        print(f"docs/images/{name}: {(folder / name).stat().st_size // 1024} KiB")
