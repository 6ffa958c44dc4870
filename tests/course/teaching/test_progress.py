"""Test the results that checks save in a notebook, and srlab progress, which reads them without executing anything."""

import contextlib
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from torch import nn

from srlab.cli.main import main
from srlab.errors import SrlabError
from srlab_course.feedback import checks
from srlab_course.feedback.all_exercises import find, names
from srlab_course.feedback.checks import check
from srlab_course.feedback.exercise import TODO
from srlab_course.notebook_files.marks import Mark, marks_in
from srlab_course.teaching.saved_results import read_results
from tests.conftest import ROOT, left

CROP, PROJECT, MATRIX = "degradation.agree", "degradation.back_project", "degradation.downscale_matrix"
PSNR, TAIL = "degradation.psnr", "srresnet.Tail"


def cell(name, *outputs, source=""):
    """Return the check cell of an exercise, with its saved outputs."""
    return nbformat.v4.new_code_cell(source or f'answer = course.check("{name}", answer)', outputs=list(outputs))


def test_check_saves_result_in_output_also_in_strict_mode(displayed, monkeypatch):
    monkeypatch.setenv("SRLAB_STRICT", "1")
    cells = [cell(PSNR)]
    for name, answer in {CROP: find(CROP).reference, PROJECT: lambda sr, lr, down, up: sr, MATRIX: TODO}.items():
        displayed.clear()
        with contextlib.suppress(SrlabError):
            check(name, answer)
        cells.append(cell(name, nbformat.v4.new_output("stream", text="right   so says the answer"), *displayed))
    wanted = {CROP: "correct", PROJECT: "incorrect", MATRIX: "not attempted", PSNR: "not run"}
    found = read_results(nbformat.v4.new_notebook(cells=cells))
    assert {name: result for name, result in found.items() if result != "missing"} == wanted


class MadeInForward(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.sizes = sizes

    def forward(self, *inputs):
        return find(TAIL).reference(*self.sizes)(*inputs)


def test_check_saves_which_hints_appeared(displayed, monkeypatch):
    monkeypatch.setattr(checks, "_appeared", {})
    exercise = find(TAIL)
    for answer in (TODO, exercise.known_mistakes[0].answers[0], MadeInForward, exercise.reference):
        check(TAIL, answer)
    hints = [exercise.known_mistakes[0].name, "re-created"]
    assert marks_in(cell(TAIL, displayed[-1])) == [Mark(TAIL, "correct", hints)]


WRONG, RIGHT = left(CROP, "incorrect"), left(CROP, "correct")


@pytest.mark.parametrize(
    ("cells", "results"),
    [
        ([cell(CROP, WRONG), cell(CROP, RIGHT)], {CROP: "correct"}),
        ([cell(CROP, RIGHT), cell(CROP, WRONG)], {CROP: "incorrect"}),
        ([cell(CROP, WRONG, RIGHT)], {CROP: "correct", PSNR: "missing"}),
        ([cell(CROP), cell("", source=f"# course.check('{PSNR}', psnr)")], {CROP: "not run", PSNR: "missing"}),
        ([cell("", source=f"%%time\n%matplotlib inline\ncheck(\n    answer=x, name='{PSNR}')")], {PSNR: "not run"}),
        ([cell(CROP, RIGHT), cell("", source="!ls check\n" * 600)], {CROP: "correct"}),
        (
            [cell("", source=f"d = !ls\n%ls\ncheck?\nif d:\n  !./a \\\n  b\n  e = (1\n  % 2)\n  check('{PSNR}')")],
            {PSNR: "not run"},
        ),
        ([cell(CROP, WRONG), cell("", RIGHT, source="display(HTML(mark))")], {CROP: "incorrect"}),
        ([cell(CROP, WRONG), cell(PSNR, RIGHT)], {CROP: "incorrect", PSNR: "not run"}),
        ([cell("", source=f"%%bash\ncheck('{PSNR}')")], {}),
        ([cell("degradation.luma", left("degradation.luma", "correct"))], {}),
    ],
)
def test_last_executed_check_counts(cells, results):
    found = read_results(nbformat.v4.new_notebook(cells=cells))
    assert found | results == found
    assert bool(found) == bool(results)


def test_progress_lists_labs_and_their_exercises(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["progress"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["00_degradation: 0 of 5 correct, quiz 0 of 5", "01_srresnet: 0 of 9 correct, quiz 0 of 5"]
    assert "attention: 0 of 4 correct" in lines
    assert main(["progress", *(line.partition(":")[0] for line in lines[:-1])]) == 0
    said = capsys.readouterr().out
    rows = re.findall(r"^exercise \d+ +(\S+) +(?:easy|medium|hard) +not run$", said, re.M)
    assert sorted(rows) == sorted(names())
    assert rows[1:3] == [MATRIX, PSNR], "the order of the notebook"


def test_unreadable_notebook_is_named(capsys, monkeypatch, tmp_path):
    shutil.copytree(ROOT / "notebooks" / "recipes", tmp_path / "notebooks" / "recipes")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "notebooks" / "00_degradation.ipynb")
    Path(tmp_path, "notebooks", "01_srresnet.ipynb").write_text("{}", encoding="utf-16")
    monkeypatch.chdir(tmp_path)
    for typed, words in {
        "": "01_srresnet.ipynb is not a valid Jupyter notebook",
        "00": "has no exercises of this version",
        "nosuch.ipynb 00": "has no exercises of this version",  # one bad file does not end the others
        "nosuch.ipynb": "File nosuch.ipynb not found",
    }.items():
        assert main(["progress", *typed.split()]) == 2
        assert words in capsys.readouterr().err
