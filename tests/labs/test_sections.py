"""Test that labs run without the sections that `srlab short` drops."""

import re

import nbformat
import pytest

from srlab_course.notebook_files.execute import execute
from srlab_course.notebook_files.finding import tags_of
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


def tagged(cell):
    """Return the cell's own section, and optional sections that it needs."""
    return [int(tag.removeprefix("section-")) for tag in tags_of(cell) if tag.startswith("section-")]


def optional_in(notebook):
    return sorted({tagged(cell)[0] for cell in notebook.cells if "another-day" in tags_of(cell)})


def cases():
    """Yield each optional section of a lab, all of them, and all sections, so that the closing cells need none."""
    for lab in LABS:
        notebook = nbformat.read(lab, 4)
        optional, sections = tuple(optional_in(notebook)), tuple(dict.fromkeys(filter(None, sections_of(notebook))))
        for left_out in dict.fromkeys((*((number,) for number in optional), optional, sections)):
            yield lab, left_out


CASES = [
    pytest.param(lab, left_out, id=f"{lab.stem} without {' '.join(map(str, left_out))}") for lab, left_out in cases()
]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_section_tags(lab):
    notebook = nbformat.read(lab, 4)
    sections, optional = sections_of(notebook), optional_in(notebook)
    for cell, section in zip(notebook.cells, sections, strict=True):
        assert tagged(cell)[:1] == ([section] if section else [])
        assert ("another-day" in tags_of(cell)) == (section in optional), "optional parts are whole sections"
        assert {*tagged(cell)[1:]} <= {*optional}
    assert len({tuple(tagged(cell)) for cell in notebook.cells}) == len({*sections}), "sections are dropped as a whole"
    headings = [cell for cell in notebook.cells if cell.cell_type == "markdown" and cell.source.startswith("## ")]
    slides = [cell for cell in headings if cell.metadata.get("slideshow") == {"slide_type": "slide"}]
    assert slides == headings, 'give each heading the metadata "slideshow": {"slide_type": "slide"}'


@pytest.mark.nightly
@pytest.mark.parametrize(("lab", "left_out"), CASES)
def test_lab_runs_without_sections(lab, left_out, tmp_path):
    notebook = nbformat.read(lab, 4)
    notebook.cells = [cell for cell in notebook.cells if not {*tagged(cell)} & {*left_out}]
    notebook.cells.append(
        nbformat.v4.new_code_cell('course.report_metric("the end", 0)')
    )  # the lab's own cells may be left out
    nbformat.write(notebook, tmp_path / lab.name)
    execute(tmp_path / lab.name, tmp_path / "out.ipynb", {"recipe": "smoke"})
