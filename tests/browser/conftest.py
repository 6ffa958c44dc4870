"""One Chromium and one JupyterLab for all browser tests, and helpers that look at pixels."""

import io
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

SIZE = 64  # pixels of a test picture
FACTOR = 8  # so many screen pixels each: 512 in all
WAIT = 30_000  # milliseconds that any wait may take
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


@pytest.fixture(scope="session")
def browser():
    """Chromium; without one the tests are skipped, except in CI, where that would hide a broken machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        reason = f"needs a browser: none of {', '.join(names)} is installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser, shared):
    """Open an address without a network, with options in a fresh context; at the end complain of errors on the page."""
    visits = Visits(browser)

    def visit(address, **options):
        page = visits.new_page(**options) if options else shared.pages[0]
        page.outside.clear()
        page.goto(str(address))
        return page

    yield visit
    visits.close()
    assert not shared.complaints + visits.complaints


@pytest.fixture(scope="session")
def shared(browser):
    """A page for all tests that want no options."""
    visits = Visits(browser)
    visits.new_page()
    yield visits
    visits.close()


class Visits:
    """Pages of their own contexts, and what went wrong on them."""

    def __init__(self, browser):
        self.browser, self.pages, self.complaints = browser, [], []

    def new_page(self, **options):
        context = self.browser.new_context(
            **({"viewport": {"width": 900, "height": 1000}, "reduced_motion": "reduce"} | options)
        )
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.outside = []

        def guard(route):
            if route.request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1")):
                route.continue_()
            else:
                page.outside.append(route.request.url)
                route.abort()

        context.route("**/*", guard)
        complaints = self.complaints

        def complain(error):
            first = error.stack.partition("\n    at ")[2].partition("\n")[0]
            # From /static/ JupyterLab and ipywidgets come; the other, without a place, is what a restart cancels.
            if "/static/" not in first and "Canceled future" not in str(error):
                complaints.append(error)

        page.on("pageerror", complain)
        page.on("console", lambda said: complaints.append(said.text) if "srlab" in said.text.lower() else None)
        self.pages.append(page)
        return page

    def close(self):
        for page in self.pages:
            page.context.close()


def pictures():
    """Three pictures of random pixels: no two places look alike."""
    random = torch.Generator().manual_seed(0)
    return {name: torch.randint(0, 256, (3, SIZE, SIZE), generator=random, dtype=torch.uint8) for name in "ABC"}


def magnified(picture, factor=FACTOR):
    """The screen pixels ``(H, W, 3)`` of a picture."""
    return picture.permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)


def screen(page, place):
    """What is to be seen at a locator once the slider has drawn, as ``(H, W, 3)``."""
    page.evaluate(FRAMES)
    return snap(page, place)


def snap(page, place):
    """What is to be seen at a locator now; it must be inside the window."""
    box = place.bounding_box(
        timeout=WAIT
    )  # the browser paints a picture on whole pixels, wherever the text above it ends
    return pixels(page.screenshot(clip={side: round(value) for side, value in box.items()}, timeout=WAIT))


def pixels(png):
    """A screenshot as ``(H, W, 3)``."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def settle(page):
    """Let the slider draw, and score what is seen."""
    page.wait_for_timeout(90)  # it waits for 80 before it does
    page.evaluate(FRAMES)


def shows(seen, left, right, split):
    """Whether the left picture is to be seen left of the divider and the right one beyond it."""
    cut = round(split * SIZE * FACTOR)
    rows = slice(0, 200)  # above the grip
    return np.array_equal(seen[rows, : max(cut - 3, 0)], magnified(left)[rows, : max(cut - 3, 0)]) and np.array_equal(
        seen[rows, cut + 3 :], magnified(right)[rows, cut + 3 :]
    )


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab of its own: the folder that it serves, and its address."""
    pytest.importorskip("jupyterlab")
    folder, own = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *(
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={folder}",
        ),
    ]
    kinds = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    kinds += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = os.environ | {name: str(own / name) for name in kinds} | {"OMP_NUM_THREADS": "1"}
    environment["JUPYTER_TOKEN"] = token = secrets.token_hex()
    with (own / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _answers(f"{address}/api/status?token={token}"):
            assert server.poll() is None, (own / "log").read_text()
            assert time.monotonic() < deadline, (own / "log").read_text()
            time.sleep(0.2)
        yield folder, address, token
    finally:
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=15)


def _answers(address):
    with suppress(OSError), urllib.request.urlopen(address, timeout=5) as reply:
        return reply.status == 200
    return False


@pytest.fixture(scope="session")
def jupyter(browser, lab):
    """The page of JupyterLab, high enough for whole notebooks; and its complaints."""
    _, address, token = lab
    visits = Visits(browser)
    page = visits.new_page(viewport={"width": 1100, "height": 3000})
    page.goto(f"{address}/doc?reset&token={token}")
    page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored.then(() => true)", timeout=WAIT)
    yield visits
    visits.close()


@pytest.fixture
def open_notebook(lab, jupyter):
    """Put a notebook into JupyterLab and open it; the kernel of the one before goes on with it, if it still can."""
    page = jupyter.pages[0]

    def visit(name, cells):
        notebook = nbformat.v4.new_notebook(
            cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        nbformat.write(notebook, lab[0] / f"{name}.ipynb")
        page.evaluate(OPEN, f"{name}.ipynb")
        return page

    yield visit
    page.evaluate("""async () => {
        const panel = window.jupyterapp.shell.currentWidget;
        window.kernel = panel.sessionContext.session?.kernel?.id;
        await panel.context.save();
        panel.dispose();
    }""")
    assert not jupyter.complaints


OPEN = """async (path) => {
    const panel = await window.jupyterapp.commands.execute("docmanager:open",
        { path, kernel: window.kernel && { id: window.kernel } });
    await panel.revealed;
    await panel.sessionContext.ready;
}"""


def run_all(page):
    """Run the notebook and wait for its end."""
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
