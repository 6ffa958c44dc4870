"""A class and what it handed in: every file is accounted for, and counted right."""

import copy
import csv
import functools
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from srlab.base.errors import SrlabError
from srlab.course.cli.main import main
from srlab.course.cli.solutions import fill_in
from srlab.course.grading.hand_ins import read_class, student_of
from srlab.course.notebooks import read_notebook
from srlab.course.quiz import read_questions
from srlab.course.saved import checks_in
from tests.conftest import ROOT, left


class Case(NamedTuple):
    """What somebody hands in, and what the table has to say of it."""

    write: Callable  # gives a notebook or bytes
    saved: str | None = "right"  # what is saved of PSNR; None where the file can't be counted
    note: str = ""  # where it can't be counted
    files: tuple[str, ...] = ("/00_degradation.ipynb",)  # behind her name


@functools.cache
def solved():
    notebook = read_notebook(ROOT / "notebooks" / "00_degradation.ipynb")
    fill_in(notebook)
    return notebook


def lab(psnr="", said="right", cell=""):
    """The solved lab with what its checks left, and for PSNR another word, another body or another cell."""
    notebook = copy.deepcopy(solved())
    for one in notebook.cells:
        for name in checks_in(one.source) if one.cell_type == "code" else ():
            word = said if name == "degradation.psnr" else "right"
            one.outputs = [left(name, word)] if word else []
        if (psnr or cell) and "def psnr(" in one.source:
            one.source = cell or f"def psnr(sr, hr, crop):\n    {psnr}\n"
    return notebook


def with_quiz():
    """Four of its five questions are answered rightly."""
    letters = "".join(question.right for question in read_questions("00_degradation")[:4])
    notebook = lab()
    for cell in notebook.cells:
        cell.source = cell.source.replace('"?????"', f'"{letters}?"')
    return notebook


def without_psnr():
    notebook = lab()
    notebook.cells = [cell for cell in notebook.cells if "psnr(" not in cell.source and '.psnr"' not in cell.source]
    return notebook


def colab():
    notebook = lab() | {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}, "accelerator": "GPU"}}
    return notebook | {"cells": [{key: cell[key] for key in cell if key != "id"} for cell in notebook["cells"]]}


CASES = {
    "right": Case(with_quiz),
    "wrong": Case(lambda: lab("return (sr - hr).mean()", "hint"), "hint given"),
    "cleared": Case(lambda: lab(said=""), "not run yet"),
    "Colab": Case(colab, files=("/Copy of 00_degradation.ipynb",)),
    unicodedata.normalize("NFD", "Jürgen Öz"): Case(lab, files=("_2345_assignsubmission_file_00_degradation.ipynb",)),
    "deleted cells": Case(without_psnr, "not in the file"),
    "syntax error": Case(lambda: lab("return (sr -", ""), "not run yet"),
    "two": Case(lab, None, "several files of two for degradation", ("/a.ipynb", "/b.ipynb")),
    "zip": Case(lambda: b"PK", None, "is no notebook; unpack it", ("/lab.zip",)),
    "broken JSON": Case(lambda: b'{"cells": [{"outputs"', None, "no notebook of Jupyter"),
    "foreign": Case(nbformat.v4.new_notebook, None, "has no exercises of this course"),
    "other name": Case(lab, files=("_my solution.ipynb",)),
    "absent": Case(lambda: b"", None, "nothing handed in", ()),
}


def hand_in(folder, *names):
    """Write what some of the class have handed in, and their names."""
    for name in names:
        for file in CASES[name].files:
            path = folder / "all" / f"{name}{file}"
            path.parent.mkdir(parents=True, exist_ok=True)
            content = CASES[name].write()
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            path.write_bytes(content)
    (folder / "names.csv").write_text("name\n" + "\n".join(names), encoding="utf-8-sig")
    return folder


def progress(folder, *options):
    return main(["progress", str(folder / "all"), "--csv", str(folder / "grades.csv"), *options])


def read_table(folder):
    """Student -> row."""
    with (folder / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def compare(folder):
    """Hold a table against what it should say."""
    rows = read_table(folder)
    assert list(rows) == (folder / "names.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    for name, row in rows.items():
        case = CASES[name]
        if word := case.saved:  # shrink_matrix and back_project count 5, paired_crop and psnr 3
            points = "16" if word == "right" else "13"
            told = [row[f"degradation{part}"] for part in (".psnr", ".shrink_matrix", "", " possible")]
            assert (name, *told) == (name, word, "right", points, "16"), row["note"]
        else:
            assert row["degradation"] == row["degradation.psnr"] == ""
        assert case.note in row["note"], name


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    return hand_in(tmp_path_factory.mktemp("school"), *CASES)


def test_the_table_says_of_everybody_what_was_saved(school, capsys):
    assert progress(school, "--class", str(school / "names.csv"), "--force") == 2
    compare(school)
    assert read_table(school)["right"]["degradation quiz"] == "4"
    said = capsys.readouterr().out
    files = [path.relative_to(school / "all") for path in (school / "all").rglob("*") if path.is_file()]
    assert all(sum(line.startswith(f"{file}: ") for line in said.splitlines()) == 1 for file in files)
    absent = next(line for line in said.splitlines() if line.startswith("No degradation that counts: "))
    assert absent.partition(": ")[2].split("; ") == [name for name in CASES if CASES[name].saved is None]
    assert main(["progress", str(school / "all" / "right")]) == 0
    assert "\nquiz: 4 of 5 right\n" in capsys.readouterr().out


CLASS = {"Li, Anna": ["Li, Anna"], "Anna Li Wu": ["Anna Li Wu", "wuanna"], "Zoë": ["Zoë"]}


@pytest.mark.parametrize(
    ("path", "names", "student"),
    [
        ("Anna Li_1234_assignsubmission_file_/lab.ipynb", CLASS, "Li, Anna"),
        ("anna_li_wu_03_srgan.ipynb", CLASS, "Anna Li Wu"),
        ("wuanna_LATE_123_4567_lab.ipynb", CLASS, "Anna Li Wu"),
        ("Zoe\u0308/deep/lab.ipynb", CLASS, "Zoë"),
        ("Zo#U00eb_1234_assignsubmission_file_lab.ipynb", {}, "Zoë"),
        ("Bo Ek_1234_assignsubmission_file_/lab.ipynb", CLASS, "Bo Ek"),
        ("Zoë Li_1234_assignsubmission_file_/lab.ipynb", CLASS, "Zoë Li"),
        ("Zoë, once more/lab.ipynb", CLASS, "Zoë"),
        ("bo_ek_03_srgan.ipynb", {}, "bo_ek"),
        ("lianna_LATE_123_4567_lab.ipynb", {}, "lianna"),
    ],
)
def test_whose_a_file_is(path, names, student):
    assert student_of(Path(path), names) == student


def test_a_class_list_is_one_name_a_line(tmp_path):
    file = tmp_path / "names.csv"
    file.write_bytes('\ufeffName\r\n"Li, Anna"; -\r\n\r\n---\r\nAnna Li Wu;wuanna\r\nZoë\r\n'.encode())
    assert read_class(file) == CLASS
    contents = {"has no names": b"", "anna li twice": b"Anna Li\nLi, Anna", "al twice": b"A; al\nAl", "UTF-8": b"\xff"}
    for words, content in contents.items():
        file.write_bytes(content)
        with pytest.raises(SrlabError, match=words):
            read_class(file)


def test_what_the_system_made_has_a_line_and_a_name_is_no_formula(tmp_path, capsys):
    hand_in(tmp_path, "zip")
    (tmp_path / "all" / "=1+1_lab.zip").write_bytes(b"PK")
    (tmp_path / "all" / ".DS_Store").write_bytes(b"")
    (tmp_path / "all" / "link.ipynb").symlink_to("/etc/passwd")
    assert progress(tmp_path, "--class", str(tmp_path / "names.csv")) == 2
    said = capsys.readouterr().out
    assert ".DS_Store: was made by a program, not by a student." in said
    assert "link.ipynb: is a link" in said
    assert "Not in the class list: =1+1_lab, link\n4 files of 3 students; not counted: 3." in said
    assert (tmp_path / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbf"), "or Excel takes it for another encoding"
    assert list(read_table(tmp_path)) == ["zip", "'=1+1_lab", "link"]
    assert progress(tmp_path) == 2
    assert "exists already" in capsys.readouterr().err
