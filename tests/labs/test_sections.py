"""Test that labs run without each section, and without those that `srlab short` drops with it."""

import re

import nbformat
import pytest

from srlab_course.notebook_files.execute import execute
from srlab_course.teaching.short_lab import NEEDED_BY, with_later
from tests.conftest import LABS


def sections_of(notebook):
    """Return the section number of each cell, from the headings; None outside of numbered sections."""
    found, now = [], None
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            heading = re.match(r"## (\d+)\. ", cell.source)
            now = heading and int(heading[1])
        found.append(now)
    return found


# Sections that can be dropped together: each section of a lab, with those that need it.
SECTIONS = {lab: sorted(set(filter(None, sections_of(nbformat.read(lab, 4))))) for lab in LABS}
CASES = [(lab, sorted(with_later(lab.stem, [section]))) for lab in LABS for section in SECTIONS[lab]]


def tag_of(cell):
    found = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("section-")]
    return int(found[0].removeprefix("section-")) if found else None


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_section_tags(lab):
    notebook = nbformat.read(lab, 4)
    sections = sections_of(notebook)
    assert [tag_of(cell) for cell in notebook.cells] == sections
    headings = [cell for cell in notebook.cells if cell.cell_type == "markdown" and cell.source.startswith("## ")]
    assert all(cell.metadata.slideshow.slide_type == "slide" for cell in headings)
    needed_by = NEEDED_BY.get(lab.stem, {})
    assert {*needed_by, *(later for sections in needed_by.values() for later in sections)} <= {*SECTIONS[lab]}
    assert all(with_later(lab.stem, later) == {*later} for later in needed_by.values())
    later = {tag_of(cell) for cell in notebook.cells if "another-day" in cell.metadata.get("tags", [])}
    for cell in notebook.cells:  # optional parts are whole sections
        assert ("another-day" in cell.metadata.get("tags", [])) == (tag_of(cell) in later)


@pytest.mark.nightly
@pytest.mark.parametrize(("lab", "left_out"), CASES, ids=[f"{lab.stem} without {out}" for lab, out in CASES])
def test_lab_runs_without_optional_sections(lab, left_out, tmp_path):
    notebook = nbformat.read(lab, 4)
    notebook.cells = [cell for cell in notebook.cells if tag_of(cell) not in left_out]
    notebook.cells.append(
        nbformat.v4.new_code_cell('course.report_metric("the end", 0)')
    )  # the lab's own cells may be left out
    nbformat.write(notebook, tmp_path / lab.name)
    execute(tmp_path / lab.name, tmp_path / "out.ipynb", {"recipe": "smoke"})
