"""Copy the images of docs/ from the executed labs in ``runs/notebooks/``: ``python docs/pictures.py [FILE ...]``.

Run ``make labs`` first. ``docs/moving.py`` draws the moving slider of the README.
"""

import base64
import io
import sys
from pathlib import Path

from PIL import Image

from srlab.paths import runs_home
from srlab_course.notebook_files.editable import NotebookNode, read_notebook

FOLDER = Path(__file__).resolve().parent / "images"
# file -> (lab, how the picture's caption begins)
PICTURES = {
    "training.png": ("01_srresnet", "Validation curve"),
    "letters.png": ("01_srresnet", "A crop of text: bicubic, your network"),
    "equally_wrong.png": ("02_content_loss", "The photo and five distortions"),
    "sharper.png": ("03_srgan", "Gravel, held-out half: the three networks"),
    "duel.png": ("04_esrgan", "Gravel by bicubic"),
    "worst.png": ("05_evaluation", "The worst block"),
}


def outputs(lab: str) -> list[NotebookNode]:
    """Return all outputs with data of an executed lab."""
    cells = read_notebook(runs_home() / "notebooks" / f"{lab}.ipynb").cells
    return [output for cell in cells for output in cell.get("outputs", []) if "data" in output]


def find_picture(lab: str, caption: str) -> bytes:
    """Return the PNG with that caption, the last one where a figure was redrawn."""
    found = [
        output.data["image/png"]
        for output in outputs(lab)
        if "image/png" in output.data and output.metadata["image/png"]["alt"].startswith(caption)
    ]
    if not found:
        raise SystemExit(f"No picture of {lab} has a caption that begins with: {caption}")
    return base64.b64decode(found[-1])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        picture = Image.open(io.BytesIO(find_picture(*PICTURES[name])))
        picture.thumbnail((800, 800))
        picture.save(FOLDER / name, optimize=True)
        print(f"docs/images/{name}: {(FOLDER / name).stat().st_size // 1024} KiB")
