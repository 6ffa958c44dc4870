"""Copy the pictures of the README and these pages out of the labs in ``runs/notebooks/``: run ``make labs`` first.

The pictures of sliders are taken in Chromium.
"""

import base64
import io
import shutil
import tempfile
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import sync_playwright

from srlab.paths import home

FOLDER = Path(__file__).parent / "images"
# file -> (lab, how the picture's caption begins)
PICTURES = {
    "twins.png": ("00_degradation", "The same pictures with their names"),
    "training.png": ("01_srresnet", "Validation curve"),
    "letters.png": ("01_srresnet", "A piece of text: bicubic, your network"),
    "equally_wrong.png": ("02_content_loss", "The photo, and five pictures"),
    "sharper.png": ("03_srgan", "Stones by networks whose loss has one part"),
    "duel.png": ("04_esrgan", "Stones by RealESRGAN"),
    "worst.png": ("05_evaluation", "The worst block"),
}
SLIDER = ("05_evaluation", "The astronaut: LR, each competitor")


def outputs(lab: str) -> list[nbformat.NotebookNode]:
    """Return all outputs with data of an executed lab."""
    cells = nbformat.read(home() / "notebooks" / f"{lab}.ipynb", 4).cells
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


def take_slider(lab: str, caption: str, target: Path) -> None:
    """Take a picture of the slider with that caption, the network of lab 01 on the left, where it opens."""
    found = [output.data["text/html"] for output in outputs(lab) if caption in output.data.get("text/html", "")]
    found = [html for html in found if "srlab-compare" in html]
    if not found:
        raise SystemExit(f"No slider of {lab} has a caption with: {caption}")
    html = found[0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "slider.html"
        page_file.write_text(f'<meta charset="utf-8">{html}', encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 700, "height": 760})
        page.goto(page_file.as_uri())
        page.get_by_role("button", name="MSRResNet").first.click()  # on the left, the network of lab 01
        page.wait_for_timeout(500)
        page.locator(".srlab-compare").screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, (lab, caption) in PICTURES.items():
        picture = Image.open(io.BytesIO(find_picture(lab, caption)))
        picture.thumbnail((800, 800))
        picture.save(FOLDER / name, optimize=True)
    take_slider(*SLIDER, FOLDER / "slider.png")
    for file in sorted(FOLDER.iterdir()):
        print(f"docs/images/{file.name}: {file.stat().st_size // 1024} KiB")
