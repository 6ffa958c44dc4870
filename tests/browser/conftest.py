"""Provide one Chromium and one JupyterLab for all browser tests, and helpers that read pixels."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from srlab_course.cli import lab_command
from tests.conftest import ROOT

SIZE = 64  # pixels of a test image
FACTOR = 8  # screen pixels per image pixel: 512 in total
WAIT = 30_000  # timeout of each wait in milliseconds
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


@pytest.fixture(scope="session")
def browser():
    """Launch Chromium; without it skip the tests, except in CI, where that would hide a broken setup."""
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


def new_page(browser, **options):
    """Open a page in a new browser context."""
    usual = {"viewport": {"width": 900, "height": 1000}, "reduced_motion": "reduce"}
    context = browser.new_context(**(usual | options))
    context.set_default_timeout(WAIT)
    return context.new_page()


@pytest.fixture
def open_page(browser):
    """Open a URL offline; at the end, check that no page raised an error."""
    errors, pages = [], []

    def visit(address, **options):
        pages.append(new_page(browser, offline=True, **options))
        pages[-1].on("pageerror", lambda error: errors.append(error))
        pages[-1].goto(address)
        return pages[-1]

    yield visit
    for page in pages:
        page.context.close()
    assert errors == []


def pictures():
    """Three images of random pixels, so no two locations look alike."""
    random = torch.Generator().manual_seed(0)
    return {name: torch.randint(0, 256, (3, SIZE, SIZE), generator=random, dtype=torch.uint8) for name in "ABC"}


def magnified(picture, factor=FACTOR):
    """Return the screen pixels ``(H, W, 3)`` of an image."""
    return picture.permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)


def screen(page, place):
    """Return the screenshot of a locator after the slider has drawn, ``(H, W, 3)``; it must be inside the window."""
    page.evaluate(FRAMES)
    return snap(page, place)


def snap(page, place):
    """Return a screenshot without scripts. The browser aligns images to whole pixels, wherever the text above ends."""
    box = {side: round(value) for side, value in place.bounding_box(timeout=WAIT).items()}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=box, timeout=WAIT))).convert("RGB"))


def settle(page):
    """Wait until the slider has drawn and scored the view."""
    page.wait_for_timeout(90)  # it waits 80 ms before that
    page.evaluate(FRAMES)


def drag(page, box, start, end):
    """Drag with the mouse between two points in a box."""
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=6)
    page.mouse.up()


def shows(seen, left, right, split):
    """Return whether the left image is visible left of the divider and the right one right of it."""
    cut = round(split * SIZE * FACTOR)
    before, beyond = np.s_[:200, : max(cut - 3, 0)], np.s_[:200, cut + 3 :]  # above the grip
    return np.array_equal(seen[before], magnified(left)[before]) and np.array_equal(
        seen[beyond], magnified(right)[beyond]
    )


@contextmanager
def start_jupyterlab(own, *options):
    """Start a JupyterLab with its own settings; yield a function from a page of it, such as "lab", to its address."""
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "SRLAB_HOME")
    environment = os.environ | dict.fromkeys(places, str(own)) | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment["JUPYTER_CONFIG_PATH"] = str(lab_command.SETTINGS)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", *dict.fromkeys(["--allow-root", *options])]
    with (own / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not (found := "".join(file.read_text(encoding="utf-8") for file in own.glob("jpserver-*.json"))):
            assert time.monotonic() < deadline, (own / "log").read_text(encoding="utf-8")
            time.sleep(0.2)
        facts = json.loads(found)
        yield lambda name: f"{facts['url']}{name}?token={facts['token']}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def jupyter(browser, tmp_path_factory):
    """Start a JupyterLab; yield its page, tall enough for whole notebooks, and the folder that it serves."""
    pytest.importorskip("jupyterlab")
    folder, own = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")
    options = [f"--ServerApp.root_dir={folder}", "--KernelManager.shutdown_wait_time=0.5", "--expose-app-in-browser"]
    with start_jupyterlab(own, *options) as address:
        page = new_page(browser, viewport={"width": 1100, "height": 3000})
        page.goto(address("doc"))
        ready = "() => window.jupyterapp && window.jupyterapp.restored.then(() => true)"
        page.wait_for_function(ready, timeout=3 * WAIT)
        yield page, folder
