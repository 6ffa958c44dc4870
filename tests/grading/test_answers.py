"""An answer is executed with what it needs of its notebook, and with no more."""

from pathlib import Path

import nbformat
import pytest

from srlab.cli.solutions import fill_in
from srlab.exercises import Wrong, find
from srlab.exercises.judging import judge
from srlab.grading.answers import find_answer
from srlab.lab.notebooks import read_notebook
from tests.conftest import ROOT

TRAP = "open('executed', 'w')"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Lab 04, solved, with a trap in front of each cell but those of exercises."""
    monkeypatch.chdir(tmp_path)
    notebook = read_notebook(ROOT / "notebooks" / "04_esrgan.ipynb")
    fill_in(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", []):
            cell.source = f"{TRAP}\n{cell.source}"
    return notebook


def cell_with(lab, text):
    return next(cell for cell in lab.cells if text in cell.source and cell.cell_type == "code")


def test_a_wrong_answer_costs_its_own_exercise_alone_and_nothing_else_of_the_lab_runs(lab):
    cell_with(lab, "class DenseBlock").source = "DenseBlock = 3"
    assert list(judge(find("esrgan.RRDB"), find_answer(lab, "esrgan.RRDB")))
    with pytest.raises(Wrong):
        list(judge(find("esrgan.DenseBlock"), find_answer(lab, "esrgan.DenseBlock")))
    assert not Path("executed").exists()


def test_names_of_other_cells_come_along_however_they_are_made(lab):
    """And whatever the answer is called."""
    answer = "%%time\ndef mine(a, b, alpha):\n    display(a)\n    return mix(a, b, alpha, SIZE, sqrt(1))\n"
    cell_with(lab, "def interpolate").source = answer
    cell_with(lab, 'check("esrgan.interpolate"').source = 'f = srlab.check("esrgan.interpolate", mine, hints=2)'
    helpers = "!ls\nimport nowhere\n%matplotlib inline\nmix = lambda *all: all"
    for place, source in enumerate(("from math import *", "if True:\n    SIZE = 2", helpers, TRAP)):
        lab.cells.insert(place, nbformat.v4.new_code_cell(source))
    assert find_answer(lab, "esrgan.interpolate")(1, 2, 3) == (1, 2, 3, 2, 1.0)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    "changed",
    [
        "cfg['x'] = 1",
        "for key in 'x':\n    cfg.setdefault(key, 1)",
        "cfg['y'].x = 1",
        "def fill(given):\n    given['x'] = 1\nfill(cfg)",
    ],
)
def test_a_value_is_as_the_cells_changed_it_and_what_only_reads_it_does_not_run(lab, changed):
    made = "import types\ncfg = {'y': types.SimpleNamespace()}"
    readers = "plots.images(cfg, open('executed', 'w'))\ntrainer.fit(cfg, open('executed', 'w'))\n"
    readers += "print(cfg, open('executed', 'w'))\nfitted = trainer.fit(cfg, open('executed', 'w'))"
    cell_with(lab, "def interpolate").source = "def interpolate(a, b, alpha):\n    return plots, cfg\n"
    for place, source in enumerate((made, "from srlab.view import plots", changed, readers)):
        lab.cells.insert(place, nbformat.v4.new_code_cell(source))
    scope: dict = {}
    exec(f"{made}\n{changed}", scope)
    assert str(find_answer(lab, "esrgan.interpolate")(1, 2, 3)[1]) == str(scope["cfg"])
    assert not Path("executed").exists()


def test_what_is_missing_is_said_with_the_reason(lab):
    cell_with(lab, "def interpolate").source = "def interpolate(a, b, alpha:\n    return a"
    with pytest.raises(Wrong, match=r"There is no interpolate\. SyntaxError"):
        find_answer(lab, "esrgan.interpolate")
