"""Test the exercise cells of the labs and extras, untouched and solved."""

import inspect

import nbformat
import pytest
import torch

import srlab
import srlab_course as course
from srlab_course.feedback.all_exercises import find, names
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.marks import Result
from srlab_course.teaching.saved_results import read_results
from srlab_course.teaching.solutions import fill_in
from tests.conftest import EXTRAS, LABS

ALL = [*LABS, *EXTRAS]

CELLS = [
    (lab.stem, stub.source, check.source)
    for lab in ALL
    for stub, check in zip(
        *[iter(c for c in nbformat.read(lab, 4).cells if "exercise" in str(c.metadata))] * 2, strict=True
    )
]
NAMES = [check.split('"')[1] for _, _, check in CELLS]


@pytest.mark.parametrize(("lab", "stub", "check"), CELLS, ids=NAMES)
def test_stub_falls_back_to_reference(lab, stub, check, capsys, monkeypatch):
    monkeypatch.delenv("SRLAB_STRICT", raising=False)
    name = check.split('"')[1]
    others = [find(other).reference for other in names() if other.split(".")[0] == name.split(".")[0]]
    scope = {"srlab": srlab, "course": course, "torch": torch, "nn": torch.nn}
    scope |= {other.__name__: other for other in others}  # a stub may call earlier answers
    exec(stub, scope)
    for _ in range(2):  # also the check's cell alone
        exec(check, scope)
        assert "not attempted" in capsys.readouterr().out
        reference = find(name).reference
        assert inspect.getsource(scope[reference.__name__]) == inspect.getsource(reference)


# The answers of this extra train a project each.
SLOW = pytest.mark.nightly
WITH_SLOW = [pytest.param(lab, marks=SLOW) if lab.stem == "four_sick_runs" else lab for lab in ALL]


@pytest.mark.parametrize("lab", WITH_SLOW, ids=lambda lab: lab.stem)
def test_solutions_are_correct(lab, displayed, monkeypatch):
    """Check that strict mode accepts the output of `srlab solutions`, and that `srlab progress` reads it as correct."""
    monkeypatch.setenv("SRLAB_STRICT", "1")
    notebook = read_notebook(lab)
    assert fill_in(notebook) == sum(place == lab.stem for place, _, _ in CELLS)
    scope = {"srlab": srlab, "course": course}  # an answer must define the rest
    for cell in notebook.cells:
        if "exercise" in cell.metadata.get("tags", []):
            displayed.clear()
            exec(cell.source, scope)
            cell.outputs = displayed.copy()
    names = [name for (place, *_), name in zip(CELLS, NAMES, strict=True) if place == lab.stem]
    assert read_results(notebook) == dict.fromkeys(names, Result.CORRECT)


def test_every_exercise_is_in_a_lab():
    assert sorted(NAMES) == sorted(names())
