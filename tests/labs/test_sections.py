"""A learner may leave out any section of a lab that no later one says it needs: the rest runs through without it."""

import re

import nbformat
import pytest

from .conftest import LABS
from .warm import execute_warm

NEEDS = re.compile(r"\bneeds? sections? ([\d, and]+)", re.IGNORECASE)


def sections(cells):
    """Number of each numbered section -> positions of its cells."""
    found, number = {}, None
    for position, cell in enumerate(cells):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            heading = re.match(r"## (\d+)\. ", cell.source)
            number = int(heading[1]) if heading else None
        if number:
            found.setdefault(number, []).append(position)
    return found


def with_those_that_need_it(cells, number):
    """The section, and those after it that say they need it, or one of those."""
    gone = {number}
    for later, positions in sections(cells).items():
        text = " ".join(cells[position].source for position in positions if cells[position].cell_type == "markdown")
        said = {int(one) for match in NEEDS.findall(text) for one in re.findall(r"\d+", match)}
        if later > number and said & gone:
            gone.add(later)
    return gone


CASES = [(lab, number) for lab in LABS for number in sections(nbformat.read(lab, 4).cells)]


@pytest.mark.nightly
@pytest.mark.parametrize(("lab", "number"), CASES, ids=[f"{lab.stem} without {number}" for lab, number in CASES])
def test_a_lab_runs_without_a_section_and_those_that_say_they_need_it(lab, number, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    notebook = nbformat.read(lab, 4)
    found = sections(notebook.cells)
    gone = {position for one in with_those_that_need_it(notebook.cells, number) for position in found[one]}
    notebook.cells = [cell for position, cell in enumerate(notebook.cells) if position not in gone]
    nbformat.write(notebook, tmp_path / lab.name)
    assert execute_warm(tmp_path / lab.name, {"recipe": "smoke"}).error == ""
