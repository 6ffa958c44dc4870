"""Sliders, ballot and guesses inside JupyterLab: used with mouse and keys, without trust, and without their kernel."""

import json

import nbformat
import numpy as np
import pytest
import torch

import srlab
from srlab.view.slider import magnify

from .conftest import FACTOR, OPEN, SIZE, WAIT, magnified, pictures, run_all, screen, settle, shows

pytestmark = pytest.mark.xdist_group("browser")  # one worker, so one JupyterLab and one Chromium

A, B, C = pictures().values()
MIDDLE = SIZE * FACTOR / 2

MAKE = """
import torch
import srlab

random = torch.Generator().manual_seed(0)
images = {name: torch.randint(0, 256, (3, 64, 64), generator=random, dtype=torch.uint8) for name in "ABC"}
srlab.compare(images, left="A", right="B", notes={})
"""

BALLOT = """
import torch
import srlab

random = torch.Generator().manual_seed(0)
crops = {
    image: {
        name: torch.randint(0, 256, (3, 96, 144), generator=random, dtype=torch.uint8) / 255
        for name in ("<b>ours</b>", "bicubic", "SRGAN", "HR")
    }
    for image in ("cat", "dog")
}
ballot = srlab.Ballot(crops, "votes.json", seed=3)
ballot
"""

PANEL = "window.jupyterapp.shell.currentWidget"
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(
    (cell) => [cell.model.type, cell.model.sharedModel.getSource()])"""


def test_in_jupyterlab_mouse_and_keys_work_and_the_notebook_does_not_take_the_keys(open_notebook):
    new = nbformat.v4
    page = open_notebook("run", [new.new_code_cell(MAKE), new.new_markdown_cell("after")])
    run_all(page)
    stage = page.locator(".srlab-stage")
    stage.wait_for(timeout=WAIT)
    assert shows(screen(page, stage), A, B, 0.5)
    box = stage.bounding_box()
    page.mouse.move(box["x"] + MIDDLE, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + MIDDLE + 128, box["y"] + 100, steps=5)
    page.mouse.up()
    assert shows(screen(page, stage), A, B, 0.75)
    before = page.evaluate(CELLS)
    assert [kind for kind, _ in before] == ["code", "markdown"]
    # In command mode these would add, cut and delete cells and turn them into headings.
    for key in ("3", "PageDown", "a", "b", "x", "d", "d", "d", "m", "1", "3", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    assert shows(screen(page, stage), A, C, 0.65)
    assert page.evaluate(CELLS) == before
    page.mouse.wheel(0, -100)
    settle(page)
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == "12×"
    _assert_dark_theme_fits(page)


def _assert_dark_theme_fits(page):
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached", timeout=WAIT)
    color = "getComputedStyle(document.querySelector('.srlab-left b')).color"
    page.wait_for_function(f"() => {color}.match(/[0-9.]+/g).slice(0, 3).every((level) => level > 150)", timeout=WAIT)
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    page.wait_for_selector('body[data-jp-theme-light="true"]', state="attached", timeout=WAIT)


def test_an_untrusted_notebook_shows_the_divider_without_scripts(open_notebook):
    # Of full size, because the sanitizer takes `image-rendering` away and magnified pixels would be smooth.
    large = {label: magnify(label, picture, (512, 512)) for label, picture in pictures().items()}
    comparison = srlab.compare(large, left="A", right="B", notes={})
    data = {"text/html": comparison.html, "text/plain": repr(comparison)}
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    page = open_notebook("untrusted", [nbformat.v4.new_code_cell("images", outputs=[output], execution_count=1)])
    still = page.locator(".srlab-still")
    still.wait_for(timeout=WAIT)
    assert page.locator(".srlab-stage").count() == 0, "it was sanitised"
    pair = still.get_by_alt_text("B")
    assert shows(screen(page, pair), A, B, 0.5)
    box = pair.bounding_box()
    page.mouse.move(box["x"] + MIDDLE - 5, box["y"] + 505)
    page.mouse.down()
    page.mouse.move(box["x"] + MIDDLE + 123, box["y"] + 505, steps=5)
    page.mouse.up()
    assert shows(screen(page, pair), A, B, 0.75)
    assert still.get_by_alt_text("C").is_visible()


def test_the_ballot_is_ranked_by_mouse_and_keys_confirmed_and_begun_again(open_notebook, lab):
    votes = lab[0] / "votes.json"
    votes.unlink(missing_ok=True)
    page = open_notebook("ballot", [nbformat.v4.new_code_cell(BALLOT), nbformat.v4.new_code_cell("ballot.votes")])
    run_all(page)
    ballot = _ballot()
    page.get_by_text("Trial 1 of 2").wait_for(timeout=WAIT)
    page.mouse.move(0, 0)
    picture = page.locator("img.widget-image").first
    crop = ballot.pictures[ballot.trial.image][ballot.trial.methods["A"]]
    assert np.array_equal(screen(page, picture), magnified((crop * 255).round().to(torch.uint8), 2))
    boxes = [place.bounding_box() for place in page.locator("img.widget-image").all()]
    assert [boxes.index(box) for box in boxes if box["y"] == boxes[0]["y"]] == [0, 1], "two above two"
    confirm = page.get_by_role("button", name="Confirm")
    assert confirm.is_disabled()
    page.get_by_role("button", name="C", exact=True).dblclick()
    page.get_by_role("button", name="C: rank 1").wait_for(timeout=WAIT)
    for key, ranked in (("a", "A: rank 2"), ("d", "B: rank 4")):  # a letter would add a cell, or delete one
        page.keyboard.press(key)
        page.get_by_role("button", name=ranked).wait_for(timeout=WAIT)
    assert not votes.exists()
    confirm.click()
    page.get_by_text("Trial 2 of 2").wait_for(timeout=WAIT)
    first = [ballot.trials[0].methods[letter] for letter in "CADB"]
    assert [row["ranking"] for row in json.loads(votes.read_text())["votes"]] == [first]
    for key, ranked in (("b", "B: rank 1"), ("c", "C: rank 2"), ("a", "D: rank 4")):  # the focus has stayed
        page.keyboard.press(key)
        page.get_by_role("button", name=ranked).wait_for(timeout=WAIT)
    page.get_by_role("button", name="Start again").click()
    page.get_by_role("button", name="B", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="B: rank 1").wait_for(timeout=WAIT)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("a")
    page.get_by_role("button", name="D: rank 4").wait_for(timeout=WAIT)
    confirm.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Done: run the next cells for the scores.").wait_for(timeout=WAIT)
    second = [ballot.trials[1].methods[letter] for letter in "BCAD"]
    names = [figure.strip() for figure in page.locator(".widget-html figure").all_inner_texts()]
    assert names == first + second, "in plain text, and in the order of the ranking"
    page.get_by_role("button", name="Vote again").click()
    page.get_by_text("Round 2, trial 1 of 2").wait_for(timeout=WAIT)
    run_all(page)  # a new ballot over the same file
    page.get_by_text("Done: run the next cells for the scores.").wait_for(timeout=WAIT)
    assert page.evaluate(CELLS) == [["code", BALLOT], ["code", "ballot.votes"]]


def _ballot():
    space = {}
    exec(BALLOT.replace("votes.json", "nowhere.json").removesuffix("ballot\n"), space)
    return space["ballot"]


GUESS = """
import torch
import srlab
from srlab.view import plots

which = srlab.guess("Which gains most?", ["face", "fur", "text"])
how_much = srlab.guess("How many dB?", unit="dB")
"""
OUTCOME = """
which.reveal("text")
how_much.reveal(1.604)
"""
FRAMES = """
import matplotlib.pyplot as plt
from srlab.view import plots

def draw(level):
    figure, axis = plt.subplots(figsize=(4, 2))
    axis.set_title(f"level {level}")
    return figure

plots.frames(draw, "A level.", "level of grey", [0, 1, 2], start=1)
"""


def test_a_guess_is_clicked_or_typed_kept_and_set_beside_the_outcome(open_notebook):
    new = nbformat.v4
    page = open_notebook("guess", [new.new_code_cell(text) for text in (GUESS, OUTCOME, FRAMES)])
    run_all(page)
    page.get_by_text("The outcome: text.").wait_for(timeout=WAIT)
    page.get_by_role("button", name="fur").click()
    page.get_by_text("Taken: fur. Now run the next cell.").wait_for(timeout=WAIT)
    field = page.get_by_placeholder("a number")
    assert field.bounding_box()["x"] < page.get_by_text("dB", exact=True).bounding_box()["x"], "the unit is behind it"
    field.click()
    field.fill("ten")
    page.get_by_text("A number please, such as 10.").wait_for(timeout=WAIT)
    field.fill("2")
    page.get_by_text("Taken: 2 dB. Now run the next cell.").wait_for(timeout=WAIT)
    field.press("Shift+Enter")  # leaves the field for the next cell
    page.wait_for_function(f"() => {PANEL}.content.activeCellIndex === 1", timeout=WAIT)
    page.keyboard.press("Shift+Enter")
    page.get_by_text("Your guess: fur. The outcome: text.").wait_for(timeout=WAIT)
    page.get_by_text("Your guess: 2 dB. The outcome: 1.6 dB.").wait_for(timeout=WAIT)
    seen = "[...document.querySelectorAll('figure img')].map((one) => one.checkVisibility())"
    assert page.evaluate(seen) == [False, True, False]
    page.get_by_role("slider").fill("2")
    assert page.evaluate(seen) == [False, False, True]
    assert page.locator("figure output").inner_text() == "2"
    page.get_by_role("slider").click(position={"x": 4, "y": 4})  # and the notebook doesn't take its keys
    assert page.evaluate(seen) == [True, False, False]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(seen) == [False, True, False]
    run_all(page)
    page.get_by_text("Taken: 2 dB. Now run the next cell.").wait_for(timeout=WAIT)


ALL = [
    """
import torch
import srlab
which = srlab.guess("Which is left?", ["face", "fur", "text"])""",
    """
pictures = {name: torch.rand(3, 24, 24) for name in ("ours", "HR")}
srlab.Ballot({"cat": pictures}, "reloaded.json")""",
    """
import matplotlib.pyplot as plt
from srlab.view import plots
plots.sliders(lambda level: plt.figure(figsize=(2, 1)), "A figure.", level=(0, 9, 1))""",
]
STILL = [
    "Your guess: Which is left? Run this cell to answer.",
    "Blind ranking: needs a running kernel. Run this cell for its controls.",
    "Moving the sliders needs a running kernel. Run this cell for its controls.",
]


def test_without_its_kernel_each_widget_is_a_still_that_says_what_to_do(open_notebook):
    page = open_notebook("restart", [nbformat.v4.new_code_cell(text) for text in ALL])

    def assert_stills():
        for text in STILL:
            page.locator("[data-srlab-still]").get_by_text(text).last.wait_for(timeout=WAIT)
        assert page.locator(".jupyter-widgets:visible").count() == 0, "neither a broken chain nor 'model not found'"

    def assert_widgets():
        page.locator(".widget-slider:visible").last.wait_for(timeout=WAIT)
        assert page.locator("[data-srlab-still]:visible").count() == 0

    run_all(page)
    assert_widgets()
    page.evaluate(f"async () => {{ await {PANEL}.context.save(); }}")
    page.evaluate(f"async () => {{ await {PANEL}.sessionContext.session.kernel.restart(); }}")
    assert_stills()
    path = page.evaluate(f"() => {{ const panel = {PANEL}; panel.dispose(); return panel.context.path; }}")
    page.evaluate(OPEN, path)
    page.get_by_text("model not found").last.wait_for(state="attached", timeout=WAIT)
    assert_stills()
    run_all(page)
    assert_widgets()
