"""Test ``docs/check_links.py``, which `make lint` runs."""

import json

import pytest

from tests.conftest import ROOT, load_script

script = load_script(ROOT / "docs" / "check_links.py")
LINKS = {"page.md": "", "page.md#first-steps": "", "page.md#last-steps": "fragment", "gone.md": "File not found"}


def test_broken_links_are_reported(tmp_path):
    if not (lychee := script.find_lychee()):
        pytest.skip("needs lychee; run make .venv/lint")
    page, other, notebook = tmp_path / "page.md", tmp_path / "other.md", tmp_path / "notebooks" / "lab.ipynb"
    page.write_text("# First steps\n\n[here](#first-steps) [elsewhere](https://example.org/nowhere)\n", "utf-8")
    notebook.parent.mkdir()
    for target, problem in LINKS.items():
        other.write_text(f"[link]({target})\n", encoding="utf-8")
        cells = [{"cell_type": "markdown", "source": ["# Lab\n", f"[link](../{target})"]}]
        cells += [{"cell_type": "code", "source": ["'[code](nowhere.md)'"]}]
        notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
        for report in (script.check_pages(lychee, [page, other]), script.check_notebook(lychee, notebook)):
            assert (problem in report and target in report) if problem else not report
