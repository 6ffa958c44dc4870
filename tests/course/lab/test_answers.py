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


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.source.startswith((f"def {name}(", f"class {name}(")))


def test_untouched_notebook_lends_the_references(notebook, capsys):
    notebook(lambda saved: None)
    discriminator, step = from_earlier_lab(LAB, D, STEP)
    assert step.verdict.exercise is find(STEP)
    assert discriminator()(torch.rand(1, 3, 32, 32)).shape == (1, 1, 8, 8)
    credit(discriminator, step)
    assert capsys.readouterr().out == "from the course: PatchDiscriminator, train_step\n"


def test_solved_notebook_lends_the_student_s_answers(notebook, capsys):
    notebook(fill_in)
    discriminator, step = from_earlier_lab(LAB, D, STEP)
    assert discriminator is not find(D).reference
    assert not hasattr(step, "verdict")
    credit(discriminator, step)
    assert capsys.readouterr().out == "from you: PatchDiscriminator, train_step\n"


def test_answer_may_use_a_function_and_a_constant_of_another_cell(notebook):
    def change(saved):
        fill_in(saved)
        stub = cell_of(saved, "train_step")
        helper = 'FACTOR = 1.0\n\n\ndef forget(optimizer):\n    optimizer.zero_grad()\n\n\nprint("never", lab)'
        saved.cells.insert(saved.cells.index(stub), nbformat.v4.new_code_cell(helper))
        assert "d_optimizer.zero_grad()" in stub.source
        stub.source = stub.source.replace("d_optimizer.zero_grad()", "forget(d_optimizer)")

    notebook(change)
    (step,) = from_earlier_lab(LAB, STEP)
    assert not hasattr(step, "verdict")
    assert step.__globals__["FACTOR"] == 1.0


def test_incorrect_answer_is_named_and_replaced(notebook, capsys):
    def change(saved):
        fill_in(saved)
        stub = cell_of(saved, "train_step")
        stub.source = stub.source.replace(".detach()", "", 1)

    notebook(change)
    discriminator, step = from_earlier_lab(LAB, D, STEP)
    assert step.verdict.exercise is find(STEP)
    assert not hasattr(discriminator, "verdict")
    assert "Your srgan.train_step of lab 03 is not correct, so the course's is used here:" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["{", json.dumps({"cells": 1})])
def test_damaged_notebook_lends_the_references(notebook, damage):
    notebook(fill_in)
    (paths.recipes().parent / f"{LAB}.ipynb").write_text(damage)
    (step,) = from_earlier_lab(LAB, STEP)
    assert step.verdict.exercise is find(STEP)
