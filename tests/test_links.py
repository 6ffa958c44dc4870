"""Test ``docs/check_links.py``, which `make lint` runs."""

import json

import pytest

from tests.conftest import ROOT, load_script

script = load_script(ROOT / "docs" / "check_links.py")
lychee = script.find_lychee()


@pytest.fixture
def page(tmp_path):
    """Create a page, next to a folder, with a heading and a link to it."""
    if not lychee:
        pytest.skip("needs lychee; run make .venv/lint")
    (tmp_path / "notebooks").mkdir()
    page = tmp_path / "page.md"
    page.write_text(
        "# First steps\n\n[here](#first-steps) [elsewhere](https://example.org/nowhere)\n", encoding="utf-8"
    )
    return page


LINKS = {"page.md": "", "page.md#first-steps": "", "page.md#last-steps": "fragment", "gone.md": "File not found"}


@pytest.mark.parametrize(("target", "problem"), LINKS.items())
def test_broken_links_of_pages_are_reported(page, target, problem):
    other = page.parent / "other.md"
    other.write_text(f"[link]({target})\n", encoding="utf-8")
    report = script.check_pages(lychee, [page, other])
    assert (problem in report and target in report) if problem else not report


@pytest.mark.parametrize(("target", "problem"), LINKS.items())
def test_broken_links_of_notebooks_are_reported(page, target, problem):
    notebook = page.parent / "notebooks" / "lab.ipynb"
    cells = [{"cell_type": "markdown", "source": ["# Lab\n", f"[link](../{target})"]}]
    cells += [{"cell_type": "code", "source": ["'[code](nowhere.md)'"]}]
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    report = script.check_notebook(lychee, notebook)
    assert (problem in report and "lab.ipynb" in report) if problem else not report


def test_checkpoints_and_own_labs_are_left_out(tmp_path):
    for name in ("lab.ipynb", ".ipynb_checkpoints/lab-checkpoint.ipynb", "own/copy.ipynb"):
        file = tmp_path / "notebooks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert script.files("*.ipynb", tmp_path) == [tmp_path / "notebooks" / "lab.ipynb"]
