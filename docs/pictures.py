"""Make the images of the README and of docs/: ``python docs/pictures.py [FILE ...]``, such as ``lab.png``.

Most are copied from the executed labs in ``runs/notebooks/``, so run ``make labs`` first. ``slider.png``, ``lab.png``
and ``try_it.jpg`` are screenshots in Chromium. ``lab.png`` needs no executed lab, because it runs a few cells of lab 01
in JupyterLab. The file also contains the words on it, so that a test notices when lab 01 has changed. ``try_it.jpg``
needs ``make book``.
"""

import base64
import contextlib
import functools
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from PIL import Image, PngImagePlugin
from playwright.sync_api import Browser, sync_playwright

from srlab.paths import runs_home

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images"
# file -> (lab, how the picture's caption begins)
PICTURES = {
    "training.png": ("01_srresnet", "Validation curve"),
    "letters.png": ("01_srresnet", "A crop of text: bicubic, your network"),
    "equally_wrong.png": ("02_content_loss", "The photo and five distortions"),
    "sharper.png": ("03_srgan", "Gravel, held-out half: the networks trained"),
    "duel.png": ("04_esrgan", "Gravel by bicubic"),
    "worst.png": ("05_evaluation", "The worst block"),
}
SLIDER = ("05_evaluation", "The astronaut: LR, each contender")
# Text in the cells of lab 01 that the screenshot needs, and in those that it shows.
SETUP = ('recipe = "auto"', "course.setup(")
SHOWN = (
    "cheapest = course.guess(",
    "**Exercise 3.**",
    "def slope(",
    'course.check("srresnet.slope"',
    "cheapest.reveal(",
)
PREDICTION = "0.2"  # the median, where the mean is correct
ANSWER = "return 2 * (answer - pieces).mean(0)"  # the slope of the MSE, for both losses


def outputs(lab: str) -> list[nbformat.NotebookNode]:
    """Return all outputs with data of an executed lab."""
    cells = nbformat.read(runs_home() / "notebooks" / f"{lab}.ipynb", 4).cells
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
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page_file = Path(folder) / "slider.html"
        page_file.write_text(f'<meta charset="utf-8">{html}', encoding="utf-8")
        page = browser.new_page(viewport={"width": 700, "height": 760})
        page.goto(page_file.as_uri())
        page.get_by_role("button", name="MSRResNet").first.click()  # on the left, the network of lab 01
        page.wait_for_timeout(500)
        page.locator(".srlab-compare").screenshot(path=target)


def cells_of_lab() -> nbformat.NotebookNode:
    """Return the cells of lab 01 for its screenshot: those that it needs, and those that it shows, with a wrong answer.

    To fit, the code of the result is collapsed, and the text above the exercise is only its last paragraph.
    """
    notebook = nbformat.read(ROOT / "notebooks" / "01_srresnet.ipynb", 4)
    notebook.cells = [next(cell for cell in notebook.cells if part in cell.source) for part in (*SETUP, *SHOWN)]
    _, text, stub, _, result = notebook.cells[len(SETUP) :]
    result.metadata["jupyter"] = {"source_hidden": True}
    text.source = next(part for part in text.source.split("\n\n") if part.startswith("**Exercise"))
    stub.source = stub.source.replace("return course.TODO", ANSWER)
    return notebook


def words_on(picture: Path) -> dict[str, list[str]]:
    """Return what the screenshot of lab 01 shows: the sources of its cells, and the printed lines."""
    with Image.open(picture) as image:
        return json.loads(image.text["words"])


def take_lab(target: Path) -> None:
    """Take a screenshot of lab 01 in JupyterLab: a prediction, an exercise with a known mistake, and the result."""
    notebook = cells_of_lab()
    result = notebook.cells[-1]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, jupyter(Path(folder)) as address:
        nbformat.write(notebook, Path(folder) / "lab.ipynb")
        page = browser.new_page(viewport={"width": 990, "height": 2400}, reduced_motion="reduce")
        page.set_default_timeout(180_000)
        page.goto(address)
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored.then(() => true)")
        page.evaluate(OPEN, "lab.ipynb")
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.locator(".jp-Notebook input[type=text]").fill(PREDICTION)
        page.wait_for_timeout(2_000)  # until the kernel has the prediction
        page.evaluate(RUN_CELL, notebook.cells.index(result))
        page.evaluate(LEAVE)
        page.add_style_tag(content=".jp-Notebook img { max-width: 560px; }")
        page.wait_for_timeout(2_000)  # until the figure is drawn again
        cells = page.locator(".jp-Notebook .jp-Cell").all()[len(SETUP) :]
        boxes = [cell.bounding_box() for cell in cells]
        top, bottom = boxes[0]["y"], boxes[-1]["y"] + boxes[-1]["height"]
        clip = {"x": boxes[0]["x"] + 24, "y": top, "width": boxes[0]["width"] - 24, "height": bottom - top}
        picture = Image.open(io.BytesIO(page.screenshot(clip=clip)))
        outputs_shown = [text for cell in cells for text in cell.locator(".jp-RenderedText pre").all_inner_texts()]
        printed = [line for text in outputs_shown for line in text.splitlines() if line]
        words = PngImagePlugin.PngInfo()
        sources = [cell.source for cell in notebook.cells[len(SETUP) :]]
        words.add_itxt("words", json.dumps({"sources": sources, "printed": printed}, ensure_ascii=False))
        picture.quantize(128).save(target, optimize=True, pnginfo=words)


def take_try_page(target: Path) -> None:
    """Take a screenshot of the site's page that upscales photos: the cat by bicubic and SRGAN."""
    site = functools.partial(http.server.SimpleHTTPRequestHandler, directory=ROOT / "build" / "book" / "html")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), site) as server, chromium() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 760, "height": 900})
        page.goto(f"http://127.0.0.1:{server.server_port}/try/")
        page.locator('a[download="cat-RRDB.png"]').wait_for(timeout=180_000)  # the last network
        page.wait_for_timeout(500)
        score = page.locator(".srlab-score").bounding_box()
        clip = {"x": 0, "y": 0, "width": 760, "height": score["y"] + score["height"] + 8}
        picture = Image.open(io.BytesIO(page.screenshot(clip=clip, full_page=True)))
        picture.convert("RGB").save(target, quality=90, optimize=True)
        server.shutdown()


OPEN = """async (path) => {
    const panel = await window.jupyterapp.commands.execute("docmanager:open", { path });
    await panel.revealed;
    await panel.sessionContext.ready;
}"""
RUN_CELL = """async (index) => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
    await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
# The active cell has a colored bar at its left, so make it one outside of the screenshot.
LEAVE = """() => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
    document.activeElement.blur();
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def jupyter(folder: Path) -> Iterator[str]:
    """Run JupyterLab in a folder, with its own settings and runs; yields its address."""
    own = folder / "own"
    own.mkdir()
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "SRLAB_HOME")
    environment = os.environ | dict.fromkeys(names, str(own)) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    server = subprocess.Popen([*command, f"--ServerApp.root_dir={folder}"], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (found := "".join(file.read_text() for file in own.glob("jpserver-*.json"))):
            if time.monotonic() > deadline or server.poll() is not None:
                raise SystemExit("JupyterLab did not start.")
            time.sleep(0.2)
        yield f"{json.loads(found)['url']}doc?token={json.loads(found)['token']}"
    finally:
        server.terminate()
        server.wait(timeout=30)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    names = sys.argv[1:] or [*PICTURES, "slider.png", "lab.png", "try_it.jpg"]
    for name in names:
        if name == "slider.png":
            take_slider(*SLIDER, FOLDER / name)
        elif name == "lab.png":
            take_lab(FOLDER / name)
        elif name == "try_it.jpg":
            take_try_page(FOLDER / name)
        else:
            picture = Image.open(io.BytesIO(find_picture(*PICTURES[name])))
            picture.thumbnail((800, 800))
            picture.save(FOLDER / name, optimize=True)
        print(f"docs/images/{name}: {(FOLDER / name).stat().st_size // 1024} KiB")
