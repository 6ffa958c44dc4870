"""Test that an earlier lab's notebook lends the student's answers, and the course's where hers are missing."""

import json
import shutil

import nbformat
import pytest
import torch

from srlab import paths
from srlab_course import credit, from_earlier_lab
from srlab_course.feedback.all_exercises import find
from srlab_course.teaching.solutions import fill_in

LAB = "03_srgan"
STEP, D = "srgan.train_step", "srgan.PatchDiscriminator"


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Copy a lab's notebook into a course folder, and return a function that changes its cells and saves it."""
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    for file in (f"{LAB}.ipynb", f"recipes/{LAB}.yaml"):
        shutil.copy(paths.recipes().parent / file, tmp_path / "notebooks" / file)
    file = tmp_path / "notebooks" / f"{LAB}.ipynb"
    read = nbformat.read(file, 4)
    monkeypatch.chdir(tmp_path)

    def save(change):
        change(read)
        nbformat.write(read, file)

    return save


def with_helper(saved):
    """Solve the lab with a function and constants of another cell, which has more that does not run here."""
    fill_in(saved)
    stub = cell_of(saved, "train_step")
    helper = "RATE = 2 * 0.5\nstep = torch.relu\nnever = exit()\ndef forget(adam):\n    adam.zero_grad()\nexit()"
    saved.cells.insert(saved.cells.index(stub), nbformat.v4.new_code_cell(helper))
    assert "d_optimizer.zero_grad()" in stub.source
    stub.source = stub.source.replace("d_optimizer.zero_grad()", "forget(d_optimizer), step(torch.tensor(RATE))")


def with_mistake(saved):
    fill_in(saved)
    stub = cell_of(saved, "train_step")
    stub.source = stub.source.replace(".detach()", "", 1)


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.source.startswith((f"def {name}(", f"class {name}(")))


@pytest.mark.parametrize(
    ("change", "own"),
    [(lambda saved: None, []), (fill_in, [D, STEP]), (with_helper, [D, STEP]), (with_mistake, [D])],
    ids=["untouched", "solved", "with a helper", "with a mistake"],
)
def test_notebook_lends_correct_answers(notebook, change, own, capsys):
    notebook(change)
    found = dict(zip((D, STEP), from_earlier_lab(LAB, D, STEP), strict=True))
    mistake = "Your srgan.train_step of lab 03 is not correct, so the course's is used here:"
    assert (mistake in capsys.readouterr().out) == (change is with_mistake)
    assert [name for name in found if not hasattr(found[name], "verdict")] == own
    assert all(found[name].verdict.exercise is find(name) for name in found.keys() - own)
    assert found[D]()(torch.rand(1, 3, 32, 32)).shape == (1, 1, 8, 8)
    assert credit(*found.values()).count("your") == bool(own)


@pytest.mark.parametrize("damage", ["{", json.dumps({"cells": 1})])
def test_damaged_notebook_lends_the_references(notebook, damage):
    notebook(fill_in)
    (paths.recipes().parent / f"{LAB}.ipynb").write_text(damage, encoding="utf-8")
    (step,) = from_earlier_lab(LAB, STEP)
    assert step.verdict.exercise is find(STEP)
