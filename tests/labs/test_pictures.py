"""Test that pages show what their scripts draw: a finished lab, the sample project."""

import re

import pytest

from tests.conftest import ROOT, load_script


def test_finished_lab_shows_cells_of_lab():
    script = load_script(ROOT / "docs" / "finished_lab.py")
    page = script.PAGE.read_text(encoding="utf-8")
    assert page.startswith(script.OPENING)
    shown = [cell.source for cell in script.shown_cells()]
    assert len(shown) > 10
    assert [source for source in shown if source not in page] == [], "run `python docs/finished_lab.py`"


@pytest.mark.nightly
def test_sample_project_is_repeatable(tmp_path, capsys):
    script = load_script(ROOT / "docs" / "sample_project.py")
    page = (ROOT / "docs" / "sample_project.md").read_text(encoding="utf-8")
    script.main(tmp_path / "figure.png")
    numbers = re.findall(r"\d+ of \d+|\d+%", capsys.readouterr().out)
    assert len(numbers) == 8
    assert [number for number in numbers if number not in page] == []
    assert (tmp_path / "figure.png").is_file()
