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

import numpy as np
import pytest
import torch
from PIL import Image

SIZE = 64  # pixels of a test picture
FACTOR = 8  # so many screen pixels each: 512 in all
WAIT = 30_000  # milliseconds that any wait may take


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
def open_page(browser):
    """Open an address in a fresh context without a network; complains of errors on the page at the end."""
    contexts, complaints, outside = [], [], []

    def visit(address, **options):
        context = browser.new_context(**({"viewport": {"width": 900, "height": 1000}} | options))
        context.set_default_timeout(WAIT)
        contexts.append(context)

        def guard(route):
            if route.request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1")):
                route.continue_()
            else:
                outside.append(route.request.url)
                route.abort()

        context.route("**/*", guard)
        page = context.new_page()
        page.outside = outside
        # "Cannot send" is what a button of ipywidgets throws when its kernel is gone.
        page.on("pageerror", lambda error: complaints.append(str(error)) if str(error) != "Cannot send" else None)
        page.on("console", lambda said: complaints.append(said.text) if "srlab" in said.text.lower() else None)
        page.goto(str(address))
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not complaints


def pictures():
    """Three pictures of random pixels: no two places look alike."""
    random = torch.Generator().manual_seed(0)
    return {name: torch.randint(0, 256, (3, SIZE, SIZE), generator=random, dtype=torch.uint8) for name in "ABC"}


def magnified(picture, factor=FACTOR):
    """The screen pixels ``(H, W, 3)`` of a picture."""
    return picture.permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)


def screen(page, place):
    """What is to be seen at a locator once the slider has come to rest, as ``(H, W, 3)``."""
    settle(page)
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
    """Let the slider finish its movement and draw."""
    page.wait_for_timeout(180)
    frames = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    page.wait_for_function(frames, timeout=WAIT)


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


@pytest.fixture
def open_notebook(lab, open_page):
    """Put a notebook into JupyterLab and open it."""
    import nbformat

    folder, address, token = lab

    def visit(name, cells):
        notebook = nbformat.v4.new_notebook(
            cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        nbformat.write(notebook, folder / f"{name}.ipynb")
        page = open_page(
            f"{address}/doc/tree/{name}.ipynb?reset&token={token}", viewport={"width": 1100, "height": 1200}
        )
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored.then(() => true)", timeout=WAIT)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        return page

    return visit


def run_all(page):
    """Wait for the kernel and run the notebook."""
    page.wait_for_function(
        """() => {
            const panel = window.jupyterapp.shell.currentWidget;
            const kernel = panel?.sessionContext?.session?.kernel;
            return panel?.sessionContext?.isReady && kernel && kernel.status === "idle";
        }""",
        timeout=WAIT,
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
