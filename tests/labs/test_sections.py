"""A learner may leave out any section of a lab that no later one says it needs: the rest runs through without it."""

import nbformat
import pytest

from srlab.lab.sections import leave_out, read_sections, with_those_that_need_them

from .conftest import LABS
from .warm import execute_warm

CASES = [(lab, number) for lab in LABS for number in read_sections(nbformat.read(lab, 4).cells)]


@pytest.mark.nightly
@pytest.mark.parametrize(("lab", "number"), CASES, ids=[f"{lab.stem} without {number}" for lab, number in CASES])
def test_a_lab_runs_without_a_section_and_those_that_say_they_need_it(lab, number, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    notebook = nbformat.read(lab, 4)
    sections = read_sections(notebook.cells)
    leave_out(notebook, [sections[one] for one in with_those_that_need_them(sections, {number})])
    nbformat.write(notebook, tmp_path / lab.name)
    assert execute_warm(tmp_path / lab.name, {"recipe": "smoke"}).error == ""
