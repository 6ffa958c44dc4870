"""srlab progress: what the checks of saved notebooks said, read and never run."""

import json
from pathlib import Path

import pytest

from srlab import exercises
from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.exercises import TODO, check, find, names
from srlab.exercises.saved import CHECKED
from tests.conftest import ROOT

CROP, PROJECT, MATRIX = "degradation.paired_crop", "degradation.back_project", "degradation.shrink_matrix"
PSNR = "degradation.psnr"
SAID_RIGHT = {"output_type": "display_data", "data": {"text/plain": "  right   The lab goes on"}, "metadata": {}}
LAB = [name for name in names() if name.startswith("degradation.")]


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def cell(name, *outputs):
    """The check of an exercise, with what it had printed when the notebook was saved."""
    source = f'answer = srlab.check("{name}", answer)'
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}, "execution_count": None}


@pytest.fixture
def checked(capsys):
    """A cell whose check was run with an answer."""

    def run(name, answer, split=False):
        capsys.readouterr()
        check(name, answer)
        text = capsys.readouterr().out
        return cell(name, stream(text.splitlines(keepends=True) if split else text))

    return run


def save(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def said(capsys, *paths, code=0):
    assert main(["progress", *map(str, paths)]) == code
    return capsys.readouterr()


def results(text):
    """Exercise -> (level, saved result), from the tables."""
    rows = [line.split(maxsplit=2) for line in text.splitlines() if line.split(" ")[0] in names()]
    return {name: (level, result) for name, level, result in rows}


def test_a_table_says_for_each_exercise_what_its_check_had_printed(tmp_path, checked, capsys):
    lab = save(
        tmp_path / "lab.ipynb",
        checked(CROP, find(CROP).reference),
        checked(PROJECT, lambda sr, lr, down, up: sr, split=True),
        checked(MATRIX, lambda size, scale, kernel: TODO),
        cell(PSNR),
    )
    text = said(capsys, lab).out
    assert results(text) == {
        CROP: ("easy", "right"),
        PROJECT: ("medium", "hint given"),
        MATRIX: ("medium", "still to do"),
        PSNR: ("medium", "not run yet"),
    }
    counts = "hint given: 1, still to do: 1, not run yet: 1"
    assert text.splitlines()[0] == f"{lab}: 1 of {len(LAB)} right ({counts})"
    assert "In all" not in text  # of one
    assert "This is what was saved." in text


@pytest.mark.parametrize(("answer", "result"), [(lambda image: image, "hint given"), (TODO, "still to do")])
def test_what_strict_mode_raised_is_read_too(tmp_path, capsys, monkeypatch, answer, result):
    monkeypatch.setenv("SRLAB_STRICT", "1")
    with pytest.raises(SrlabError) as raised:
        check(CROP, answer)
    error = {"output_type": "error", "ename": raised.type.__name__, "evalue": str(raised.value), "traceback": []}
    lab = save(tmp_path / "lab.ipynb", cell(CROP, stream(capsys.readouterr().out), error))
    assert results(said(capsys, lab).out)[CROP] == ("easy", result)


def test_of_two_checks_of_an_exercise_the_later_one_that_was_run_counts(tmp_path, checked, capsys):
    wrong, right = checked(CROP, lambda rgb: rgb), checked(CROP, find(CROP).reference)
    error = {"output_type": "error", "ename": "NameError", "evalue": "name 'srlab' is not defined", "traceback": []}
    for result, *cells in (
        ("right", wrong, right),
        ("hint given", right, wrong),
        ("right", right, cell(CROP)),
        ("not run yet", cell(CROP, error)),
    ):
        assert results(said(capsys, save(tmp_path / "lab.ipynb", *cells)).out)[CROP][1] == result


def left(result, name=CROP):
    return {"output_type": "display_data", "data": {CHECKED: {"exercise": name, "result": result}}, "metadata": {}}


@pytest.mark.parametrize(
    ("outputs", "result"),
    [
        ([left("hint")], "hint given"),
        ([stream("  right now sr is 3\n"), left("hint")], "hint given"),
        ([stream(f"{CROP} (easy)\n  right now sr is 3\n  hint    Cut both.\n")], "hint given"),
        ([stream(f"{CROP} (easy)\n  hint    Cut both.\n{PSNR} (easy)\n  right   The lab\n")], "hint given"),
        ([stream(f"{CROP} (easy)\n"), SAID_RIGHT], "right"),
    ],
)
def test_what_a_check_left_counts_and_not_what_an_answer_printed(tmp_path, capsys, outputs, result):
    """An editor may drop the type of what is left, and keep its text."""
    assert results(said(capsys, save(tmp_path / "lab.ipynb", cell(CROP, *outputs))).out)[CROP][1] == result


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"# srlab.check('{PSNR}', psnr)", False),
        (f"%%time\n%matplotlib inline\ncheck(\n    '{PSNR}',\n    psnr)", True),
    ],
)
def test_a_check_is_a_call_and_no_comment_and_what_is_missing_is_said_to_be(tmp_path, checked, capsys, source, found):
    lab = save(tmp_path / "lab.ipynb", checked(CROP, find(CROP).reference), cell(PSNR) | {"source": source})
    assert results(said(capsys, lab).out)[PSNR][1] == ("not run yet" if found else "not in the file")


def test_a_folder_has_a_table_for_each_notebook_below_it_and_a_sum(tmp_path, checked, capsys):
    right = checked(CROP, find(CROP).reference)
    for student, cells in {"anna": [right], "bo": [cell(CROP)]}.items():
        save(tmp_path / student / "00.ipynb", *cells)
    save(tmp_path / "anna" / ".ipynb_checkpoints" / "00-checkpoint.ipynb", cell(CROP))
    (tmp_path / "anna" / "lab.zip").write_bytes(b"PK")
    lines = said(capsys, tmp_path).out.splitlines()
    heads = [line for line in lines if f" of {len(LAB)} right" in line]
    assert [head.split(": ")[0] for head in heads] == [f"{tmp_path / name / '00.ipynb'}" for name in ("anna", "bo")]
    rest = 2 * (len(LAB) - 1)
    assert lines[-2].startswith("1 other files weren't read;")
    assert lines[-3] == f"In all: 1 of {2 * len(LAB)} right (not run yet: 1, not in the file: {rest})"


def test_without_a_path_the_labs_of_the_course_are_read(tmp_path, checked, capsys, monkeypatch):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    save(tmp_path / "notebooks" / "00_degradation.ipynb", checked(CROP, find(CROP).reference))
    save(tmp_path / "notebooks" / "03_srgan.ipynb", cell("srgan.train_step"))
    save(tmp_path / "notebooks" / "notes.ipynb")
    save(tmp_path / "notebooks" / "03_srgan-Copy1.ipynb", cell("srgan.train_step"))  # as JupyterLab duplicates one
    for lab in ("00_degradation", "03_srgan"):
        (tmp_path / "notebooks" / "recipes" / f"{lab}.yaml").touch()
    monkeypatch.chdir(tmp_path / "notebooks")
    files = [line.split(":")[0] for line in said(capsys).out.splitlines() if ".ipynb: " in line]
    assert files == ["00_degradation.ipynb", "03_srgan.ipynb"]
    monkeypatch.chdir("/")
    assert "go to the folder of the course first" in said(capsys, code=2).err
    (tmp_path / "empty").mkdir()
    assert "There is no notebook (.ipynb) in" in said(capsys, tmp_path / "empty", code=2).err


def test_the_labs_as_they_are_shipped_have_every_exercise_and_none_was_run(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert results(said(capsys).out) == {name: (find(name).level, "not run yet") for name in names()}


NO_NOTEBOOK, NO_EXERCISE = "is not a notebook of Jupyter", "There are no exercises of this course"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file"),
        (b"", NO_NOTEBOOK),
        (b"[" * 100_000, NO_NOTEBOOK),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', NO_EXERCISE),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"outputs": [null], "source": 1}]}', ""),
    ],
    ids=["missing", "empty", "deep", "no cells", "odd cells"],
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
    hostile = cell(CROP, stream(f"{CROP} ({escape})\n  {escape}\n  right   {escape}\n"))
    hostile["source"] = f'%run x\nopen("ran", "w")  # {escape}\n{hostile["source"]}\nsrlab.check("{escape}.luma", 1)'
    save(Path(f"a{escape}\n.ipynb"), hostile)
    Path(f"b{escape}\n.ipynb").write_text("[]")
    output = said(capsys, ".", code=2)
    assert results(output.out)[CROP] == ("easy", "right")
    for text in (output.out, output.err):
        assert all(line.isprintable() for line in text.split("\n"))
    assert output.err.count("\n") == 1
    assert not Path("ran").exists()


def test_a_notebook_of_an_older_edition_is_named_as_one(tmp_path, checked, capsys, monkeypatch):
    """An exercise that is gone isn't counted, and no other result of the notebook is lost."""
    monkeypatch.setattr(exercises, "FORMER", {"degradation.sharpen"})
    old = save(tmp_path / "old.ipynb", cell("degradation.sharpen"), checked(PSNR, find(PSNR).reference))
    text = said(capsys, old).out
    assert "is of an older edition of the lab. Its exercises degradation.sharpen are gone and not counted" in text
    assert results(text)[PSNR][1] == "right"
    with pytest.raises(SrlabError, match=r"'degradation.sharpen' is of an older edition of this lab; get the lab anew"):
        find("degradation.sharpen")
    assert "older edition" not in said(capsys, save(tmp_path / "new.ipynb", cell(PSNR))).out
