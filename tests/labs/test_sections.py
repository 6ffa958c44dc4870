"""Test that labs run without the sections that teaching.md lists as optional."""

import re

import nbformat
import pytest

from srlab_course.notebook_files.execute import execute
from tests.conftest import LABS, ROOT

TABLE = re.findall(
    r"^\| (0\d) \| (\d[\d, to]*) \| (\d with .*|)\s*\|$", (ROOT / "docs" / "teaching.md").read_text("utf-8"), re.M
)


def numbers(text):
    """Return the numbers in a text such as "1, 3 to 5"."""
    found = re.findall(r"(\d+)(?: to (\d+))?", text)
    return [number for first, last in found for number in range(int(first), int(last or first) + 1)]


# Sections that can be left out together; the named one comes first.
ROWS = {
    lab: [[one] for one in numbers(alone)] + [numbers(p) for p in others.split(";") if p]
    for lab, alone, others in TABLE
}
CASES = [(lab, left_out) for lab in LABS for left_out in ROWS[lab.stem[:2]]]


def sections_of(notebook):
    """Return the section number of each cell, from the headings; None outside of numbered sections."""
    found, now = [], None
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            heading = re.match(r"## (\d+)\. ", cell.source)
            now = heading and int(heading[1])
        found.append(now)
    return found


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
    listed = {left_out[0] for left_out in ROWS[lab.stem[:2]]}
    assert listed == set(filter(None, sections)), "each section must be in the table of teaching.md"
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
