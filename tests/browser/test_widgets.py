"""Test sliders, ballot and guesses in JupyterLab: with mouse and keys, untrusted, and without a kernel."""

import json

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook, new_output

import srlab
import srlab_course as course
from srlab.slider import magnify

from .conftest import FACTOR, SIZE, WAIT, drag, magnified, pictures, screen, shows

# One worker, so one JupyterLab and one Chromium.
pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]

A, B, C = pictures().values()
MIDDLE = SIZE * FACTOR / 2

SLIDER = """
import matplotlib.pyplot as plt
import torch

import srlab
import srlab_course as course
from srlab_course.figures import plots

random = torch.Generator().manual_seed(0)
images = {name: torch.randint(0, 256, (3, 64, 64), generator=random, dtype=torch.uint8) for name in "ABC"}
srlab.compare(images, left="A", right="B", notes={})
"""
GUESS = """
which = course.guess("Which gains most?", ["face", "fur", "text"])
how_much = course.guess("How many dB?", unit="dB")
"""
OUTCOME = """
which.reveal("text")
how_much.reveal(1.604)
"""
FRAMES = """
def draw(level):
    return plt.figure(figsize=(4, 0.5))

plots.frames(draw, "A level.", "level of gray", [0, 1, 2], start=1)
plots.sliders(draw, "A figure.", level=(0, 9, 1, 0))
"""
BALLOT = """
random = torch.Generator().manual_seed(0)
crops = {
    image: {
        name: torch.randint(0, 256, (3, 96, 144), generator=random, dtype=torch.uint8) / 255
        for name in ("<b>ours</b>", "bicubic", "SRGAN", "HR")
    }
    for image in ("cat", "dog")
}
ballot = course.Ballot(crops, "votes.json", seed=3)
ballot
"""
ALL = [SLIDER, GUESS, OUTCOME, FRAMES, BALLOT]

PANEL = "window.jupyterapp.shell.currentWidget"
OPEN = """async (path) => {
    const panel = await window.jupyterapp.commands.execute("docmanager:open", { path });
    await panel.revealed;
    await panel.sessionContext.ready;
}"""


def open_notebook(jupyter, name, cells):
    page, folder = jupyter
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / name)
    page.evaluate(OPEN, name)
    return page


@pytest.fixture(scope="module")
def page(jupyter):
    """Return an executed notebook with all widgets."""
    page = open_notebook(jupyter, "widgets.ipynb", [new_code_cell(text) for text in ALL])
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.get_by_text("Trial 1 of 2").wait_for(timeout=WAIT)
    return page


def test_guess_with_mouse_and_keys(page):
    page.get_by_text("Outcome: text.").wait_for(timeout=WAIT)
    fur, text = (page.get_by_title(f"{choice}: likely", exact=True) for choice in ("fur", "text"))
    text.click()
    page.get_by_text("Saved: text (likely).").wait_for(timeout=WAIT)
    fur.focus()
    page.keyboard.press("Space")
    page.get_by_text("Saved: fur (likely).").wait_for(timeout=WAIT)
    assert "mod-active" in fur.get_attribute("class")
    assert "mod-active" not in text.get_attribute("class")
    field = page.get_by_placeholder("a number")
    field.click()
    field.fill("2")
    page.get_by_text("Saved: 2 dB.").wait_for(timeout=WAIT)
    field.press("Shift+Enter")  # moves the focus to the next cell
    page.wait_for_function(f"() => {PANEL}.content.activeCellIndex === 2", timeout=WAIT)
    page.keyboard.press("Shift+Enter")
    for outcome in ("Your guess: fur (likely). Outcome: text.", "Your guess: 2 dB. Outcome: 1.6 dB."):
        page.get_by_text(outcome).wait_for(timeout=WAIT)


def test_ballot_with_mouse_and_keys(page, jupyter):
    votes, space = jupyter[1] / "votes.json", {"course": course, "torch": torch}
    exec(BALLOT.replace("votes.json", "nowhere.json"), space)
    (image, first), (_, second) = space["ballot"].trials.items()  # the same order, because the seed is the same
    page.mouse.move(0, 0)
    crop = (space["crops"][image][first["A"]] * 255).round().to(torch.uint8)
    assert np.array_equal(screen(page, page.locator("img.widget-image").first), magnified(crop, 2))

    def rank(*keys):
        for key, ranked in keys:
            page.keyboard.press(key)
            page.get_by_role("button", name=ranked).wait_for(timeout=WAIT)

    confirm = page.get_by_role("button", name="Confirm")
    assert confirm.is_disabled()
    page.get_by_title("C", exact=True).dblclick()
    rank(("m", "C: rank 1"), ("a", "A: rank 2"), ("d", "B: rank 4"))  # m would turn the cell into Markdown
    assert not votes.exists()
    confirm.click()
    page.get_by_text("Trial 2 of 2").wait_for(timeout=WAIT)
    first, second = [first[letter] for letter in "CADB"], [second[letter] for letter in "BCAD"]
    assert [row["ranking"] for row in json.loads(votes.read_text(encoding="utf-8"))] == [first]
    page.get_by_title("B", exact=True).focus()
    rank(("Enter", "B: rank 1"), ("Tab", "B: rank 1"), ("Space", "C: rank 2"), ("a", "D: rank 4"))
    confirm.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Done: run the next cells for the scores.").wait_for(timeout=WAIT)
    for ranking in (first, second):
        page.get_by_text(f": {', '.join(ranking)}").wait_for(timeout=WAIT)  # plain text


def test_keys_of_slider_and_frames_do_not_reach_the_notebook(page):
    stage = page.locator(".srlab-stage")
    assert shows(screen(page, stage), A, B, 0.5)
    drag(page, stage.bounding_box(), (MIDDLE, 100), (MIDDLE + 128, 100))
    # In command mode these keys would add, cut and delete cells and turn them into headings.
    for key in ("3", "PageDown", "a", "b", "x", "d", "d", "d", "m", "1", "3", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    assert shows(screen(page, stage), A, C, 0.65)
    seen = "[...document.querySelectorAll('figure:has(input) img')].map((one) => one.checkVisibility())"
    place = page.locator("figure input")
    place.click(position={"x": 4, "y": 4})
    assert page.evaluate(seen) == [True, False, False]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(seen) == [False, True, False]
    assert page.locator("figure output").inner_text() == "1"


def test_widgets_without_kernel(page):
    stills = page.locator("[data-srlab-still]:visible")

    def assert_stills():
        page.wait_for_function("() => document.querySelectorAll('[data-srlab-still]').length === 4", timeout=WAIT)
        stills.nth(3).wait_for(timeout=WAIT)
        assert all("Run this cell" in text for text in stills.all_inner_texts())
        assert page.locator(".jupyter-widgets:visible").count() == 0, "neither a broken chain nor 'model not found'"

    cells = page.evaluate(f"() => {PANEL}.content.widgets.map(({{ model }}) => [model.type, model.sharedModel.source])")
    assert cells == [["code", text] for text in ALL], "no key of these tests reached the notebook"
    assert stills.count() == 0
    page.evaluate(f"async () => {{ await {PANEL}.context.save(); }}")
    page.evaluate(f"async () => {{ await {PANEL}.sessionContext.session.kernel.restart(); }}")
    assert_stills()
    path = page.evaluate(f"() => {{ const panel = {PANEL}; panel.dispose(); return panel.context.path; }}")
    page.evaluate(OPEN, path)
    page.get_by_text("model not found").last.wait_for(state="attached", timeout=WAIT)
    assert_stills()


def test_slider_in_untrusted_notebook(jupyter):
    # At full size, because the sanitizer removes `image-rendering` and magnified pixels would be smooth.
    large = {label: magnify(label, image, (512, 512)) for label, image in pictures().items()}
    html = srlab.compare(large, left="A", right="B", notes={}).html
    output = new_output("execute_result", {"text/html": html}, execution_count=1)
    page = open_notebook(jupyter, "untrusted.ipynb", [new_code_cell("1", outputs=[output], execution_count=1)])
    images = page.locator(".srlab-still:visible")
    images.get_by_alt_text("B").wait_for(timeout=WAIT)
    assert page.locator(".srlab-stage:visible").count() == 0, "scripts must be removed"
    for name, image in (("A", A), ("B", B)):
        assert shows(screen(page, images.get_by_alt_text(name)), image, image, 0.5)
