"""srlab progress: what the checks of saved notebooks left, read and never run."""

import json
from pathlib import Path

import nbformat
import pytest

from srlab.base.errors import SrlabError
from srlab.base.places import seen_from_here
from srlab.course.check import check
from srlab.course.cli.main import main
from srlab.course.exercise import TODO, find, names
from tests.conftest import ROOT, left

CROP, PROJECT, MATRIX = "degradation.paired_crop", "degradation.back_project", "degradation.shrink_matrix"
PSNR = "degradation.psnr"
LAB = [name for name in names() if name.startswith("degradation.")]


def cell(name, *outputs, source=""):
    """The check of an exercise, with its outputs when the notebook was saved."""
    return nbformat.v4.new_code_cell(source or f'answer = course.check("{name}", answer)', outputs=list(outputs))


def printed(text):
    return nbformat.v4.new_output("stream", text=text)


def save(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def said(capsys, *paths, code=0):
    assert main(["progress", *map(str, paths)]) == code
    return capsys.readouterr()


def results(text):
    """Exercise -> saved result, from the tables."""
    rows = [line.split(maxsplit=2) for line in text.splitlines() if line.split(" ")[0] in names()]
    return {name: result for name, _, result in rows}


@pytest.mark.parametrize("strict", ["", "1"])
def test_a_table_says_for_each_exercise_what_its_check_has_left(tmp_path, displayed, capsys, monkeypatch, strict):
    """Also where a wrong answer raises."""
    monkeypatch.setenv("SRLAB_STRICT", strict)
    cells = []
    answers = {CROP: find(CROP).reference, PROJECT: lambda sr, lr, down, up: sr, MATRIX: TODO}
    for name, answer in answers.items():
        displayed.clear()
        if strict and name != CROP:
            with pytest.raises(SrlabError):
                check(name, answer)
        else:
            check(name, answer)
        cells.append(cell(name, printed("  right   so says the answer"), *displayed))
    capsys.readouterr()
    lab = save(tmp_path / "lab.ipynb", *cells, cell(PSNR))
    text = said(capsys, lab).out
    assert results(text) == {CROP: "right", PROJECT: "hint given", MATRIX: "still to do", PSNR: "not run yet"}
    counts = "hint given: 1, still to do: 1, not run yet: 1"
    assert text.splitlines()[0] == f"{seen_from_here(lab)}: 1 of {len(LAB)} right ({counts})"
    assert "In all" not in text  # of one
    assert "This is what was saved." in text


def test_of_two_checks_of_an_exercise_the_later_one_that_was_run_counts(tmp_path, capsys):
    wrong, right, other = left(CROP, "hint"), left(CROP, "right"), left(PSNR, "hint")
    for result, *cells in (
        ("right", cell(CROP, wrong), cell(CROP, right)),
        ("hint given", cell(CROP, right), cell(CROP, wrong)),
        ("right", cell(CROP, right), cell(CROP)),
        ("right", cell(CROP, wrong, right, other)),
    ):
        assert results(said(capsys, save(tmp_path / "lab.ipynb", *cells)).out)[CROP] == result


def test_what_cannot_be_counted_is_named_with_what_to_do(tmp_path, capsys):
    old = cell(CROP, printed(f"{CROP} (easy)\n  right   The lab goes on with your answer.\n"))
    luma = cell("", left("degradation.luma", "right"), source='course.check("degradation.luma", luma)')
    comment = cell("", source=f"# course.check('{MATRIX}', psnr)")
    strange = cell("", source=f"%%time\n%matplotlib inline\ncheck(\n    answer=psnr, name='{PSNR}')")
    text = said(capsys, save(tmp_path / "lab.ipynb", old, luma, comment, strange)).out
    assert results(text)[CROP] == results(text)[PSNR] == "not run yet"
    assert results(text)[MATRIX] == "not in the file"
    assert "doesn't have the exercises degradation.luma, so they aren't counted: the notebook is of another" in text
    with pytest.raises(SrlabError, match=r"no exercise 'degradation.luma'.* get the lab anew if it is of another"):
        find("degradation.luma")


def test_a_folder_has_a_table_for_each_notebook_below_it_and_a_sum(tmp_path, capsys):
    save(tmp_path / "anna" / "00.ipynb", cell(CROP, left(CROP, "right")))
    save(tmp_path / "bo" / "00.ipynb", cell(CROP))
    save(tmp_path / "anna" / ".ipynb_checkpoints" / "00-checkpoint.ipynb", cell(CROP))
    (tmp_path / "anna" / "lab.zip").write_bytes(b"PK")
    lines = said(capsys, tmp_path).out.splitlines()
    heads = [line for line in lines if f" of {len(LAB)} right" in line]
    assert [Path(head.split(": ")[0]).resolve() for head in heads] == [
        tmp_path / n / "00.ipynb" for n in ("anna", "bo")
    ]
    rest = 2 * (len(LAB) - 1)
    assert lines[-2].startswith("1 other files weren't read;")
    assert lines[-3] == f"In all: 1 of {2 * len(LAB)} right (not run yet: 1, not in the file: {rest})"


def test_without_a_path_the_labs_of_the_course_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert results(said(capsys).out) == dict.fromkeys(names(), "not run yet")
    monkeypatch.chdir("/")
    assert "go to the folder of the course first" in said(capsys, code=2).err
    assert "There is no notebook (.ipynb) in" in said(capsys, tmp_path, code=2).err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file"),
        (b"[" * 100_000, "is not a notebook of Jupyter"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', "has no exercises of this course"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"outputs": [null], "source": 1}]}', ""),
    ],
    ids=["missing", "deep", "no cells", "odd cells"],
)
def test_what_is_no_lab_is_one_sentence_and_the_others_are_shown(tmp_path, capsys, content, words):
    bad = tmp_path / "bad.ipynb"
    if content is not None:
        bad.write_bytes(content)
    output = said(capsys, bad, save(tmp_path / "good.ipynb", cell(CROP)), code=2)
    assert output.err.startswith("srlab: ")
    assert output.err.count("\n") == 1
    assert words in output.err
    assert "bad.ipynb" in output.err
    assert CROP in results(output.out)


def test_nothing_of_a_file_is_run_or_reaches_the_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    escape = "\x1b[2J\x1b]0;mine\x07\u202e"
    source = f'%run x\nopen("ran", "w")  # {escape}\nsrlab.check("{CROP}", 1)\nsrlab.check("{escape}.luma", 1)'
    hostile = cell(CROP, printed(f"{CROP} ({escape})\n"), left(CROP, escape), left(CROP, "right"), source=source)
    save(Path(f"a{escape}\n.ipynb"), hostile)
    Path(f"b{escape}\n.ipynb").write_text(json.dumps([]))
    output = said(capsys, ".", code=2)
    assert results(output.out)[CROP] == "right"
    for text in (output.out, output.err):
        assert all(line.isprintable() for line in text.split("\n"))
    assert output.err.count("\n") == 1
    assert not Path("ran").exists()
