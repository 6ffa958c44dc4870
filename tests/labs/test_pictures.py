"""Test that the screenshot in the README and the page with a finished lab show what lab 01 contains now."""

import pytest

import srlab_course as course
from tests.conftest import ROOT, load_script

pytest.importorskip("playwright")  # docs/pictures.py takes screenshots with it
pictures = load_script(ROOT / "docs" / "pictures.py")
LAB = "run `python docs/pictures.py lab.png`, and correct the text below the picture in the README"


@pytest.fixture
def words():
    """Return the words on the screenshot of lab 01."""
    return pictures.words_on(ROOT / "docs" / "images" / "lab.png")


def test_screenshot_shows_cells_of_lab(words):
    cells = pictures.cells_of_lab().cells[len(pictures.SETUP) :]
    assert words["sources"] == [cell.source for cell in cells], LAB


def test_screenshot_shows_what_the_check_prints(words, capsys):
    stub = next(source for source in words["sources"] if source.startswith("def slope("))
    scope = {}
    exec(stub, scope)
    course.check("srresnet.slope", scope["slope"])
    printed = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    shown = [line.strip() for line in words["printed"]]
    assert len(printed) > 3
    assert [line for line in printed if line not in shown] == [], LAB


def test_finished_lab_shows_cells_of_lab():
    script = load_script(ROOT / "docs" / "finished_lab.py")
    page = script.PAGE.read_text(encoding="utf-8")
    assert page.startswith(script.OPENING)
    shown = [cell.source for cell in script.shown_cells()]
    assert len(shown) > 10
    assert [source for source in shown if source not in page] == [], "run `python docs/finished_lab.py`"
