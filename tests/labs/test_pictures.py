"""Test that the page with a finished lab shows what lab 01 contains now, and the moving slider."""

from PIL import Image

from tests.conftest import ROOT, load_script


def test_finished_lab_shows_cells_of_lab():
    script = load_script(ROOT / "docs" / "finished_lab.py")
    page = script.PAGE.read_text(encoding="utf-8")
    assert page.startswith(script.OPENING)
    shown = [cell.source for cell in script.shown_cells()]
    assert len(shown) > 10
    assert [source for source in shown if source not in page] == [], "run `python docs/finished_lab.py`"


def test_moving_slider_is_up_to_date_and_small():
    script = load_script(ROOT / "docs" / "moving.py")
    assert script.TARGET.stat().st_size < 1_000_000
    with Image.open(script.TARGET) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (script.STEPS * len(script.SHOTS), 0)
