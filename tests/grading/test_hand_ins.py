"""A class and what it handed in: every file is accounted for, counted right, and executed again without harm."""

import copy
import csv
import json
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
import pytest

from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.cli.solutions import fill_in
from srlab.exercises.quiz import read_questions
from srlab.grading import isolation
from srlab.grading.hand_ins import read_class, student_of
from srlab.lab.notebooks import read_notebook
from tests.conftest import ROOT

LAB = ROOT / "notebooks" / "00_degradation.ipynb"
EXERCISES = ("back_project", "paired_crop", "psnr", "shrink_matrix")  # of importance 5, 3, 3 and 5
SAID = {"right": "right", "wrong": "hint", "open": "to do"}  # by the word of the table, that of `srlab.check`
ALL_RIGHT = ("right",) * 4


class Case(NamedTuple):
    """What somebody hands in, and what the table has to say of it."""

    write: Callable  # gives a notebook or bytes, with {folder!r} for the teacher's folder
    saved: tuple[str, ...] | None = ALL_RIGHT  # a word for each exercise; None where it can't be counted
    found: tuple[str, ...] | None = ALL_RIGHT  # the same once it was executed again
    note: str = ""
    files: tuple[str, ...] = ("00_degradation.ipynb",)  # in a folder of hers, or beside it if it begins with _


def with_psnr(word):
    """All right but for PSNR."""
    return ("right", "right", word, "right")


def lab(psnr="", said=ALL_RIGHT, cell=""):
    """The solved lab, with what its checks said when it was saved; and another body of PSNR, or another cell."""
    notebook = read_notebook(LAB)
    fill_in(notebook)
    for one in notebook.cells:
        for name, word in zip(EXERCISES, said, strict=True):
            if f'check("degradation.{name}"' in one.source and word in SAID:
                text = f"degradation.{name} (easy)\n  {SAID[word]:8}and more.\n"
                one.outputs = [nbformat.v4.new_output("stream", text=text)]
        if (psnr or cell) and "def psnr(" in one.source:
            one.source = cell or f"def psnr(sr, hr, crop):\n    {psnr}\n"
    return notebook


def without_psnr():
    notebook = lab()
    notebook.cells = [cell for cell in notebook.cells if "psnr(" not in cell.source and '.psnr"' not in cell.source]
    return notebook


def colab():
    notebook = lab() | {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}, "accelerator": "GPU"}}
    return notebook | {"cells": [{key: cell[key] for key in cell if key != "id"} for cell in notebook["cells"]]}


def vs_code():
    """What a cell printed comes in pieces, and each cell knows its language."""
    notebook = lab()
    for cell in notebook.cells:
        cell.metadata["vscode"] = {"languageId": "python"}
        for output in cell.get("outputs", []):
            parts = output.text.splitlines(keepends=True)
            cell.outputs = [nbformat.v4.new_output("stream", text=part) for part in parts]
    return notebook


def check_of_psnr(notebook):
    return next(i for i, cell in enumerate(notebook.cells) if 'check("degradation.psnr"' in cell.source)


def checked_twice():
    notebook = lab(said=with_psnr("wrong"))
    place = check_of_psnr(notebook)
    notebook.cells.insert(place + 1, copy.deepcopy(lab().cells[place]) | {"id": "again"})
    return notebook


def edition(name):
    """With an exercise that this course doesn't have."""
    notebook = lab()
    output = nbformat.v4.new_output("stream", text=f"{name} (easy)\n  right   and more.\n")
    notebook.cells.append(nbformat.v4.new_code_cell(f'srlab.check("{name}", answer)', outputs=[output]))
    return notebook


def renamed():
    """Another name for the answer too, a helper in a cell below it, magics, and prints."""
    mine = "%%time\nTEN = 10\n\n\ndef mine(sr, hr, crop):\n    display(crop)\n    print(crop)\n    "
    mine += "return -TEN * ((cut(sr, crop) - cut(hr, crop)) ** 2).mean((1, 2, 3)).log10()"
    notebook = lab(cell=mine)
    place = check_of_psnr(notebook)
    notebook.cells[place].source = 'psnr = srlab.check("degradation.psnr", mine, hints=2)'
    helper = "!ls\nimport nowhere\n%matplotlib inline\ndef cut(x, c):\n    "
    helper += "return x[..., c : x.shape[2] - c, c : x.shape[3] - c]"
    notebook.cells.insert(place, nbformat.v4.new_code_cell(helper))
    return notebook


RIGHT = "a, b = sr.shape[2] - crop, sr.shape[3] - crop; d = (sr - hr)[..., crop:a, crop:b]; "
RIGHT += "return -10 * (d**2).mean((1, 2, 3)).log10()"


def code(*lines):
    """A PSNR that is right in the end, and does something else before."""
    return lambda: lab("; ".join(["import os, pathlib, resource, shutil, socket", *lines]))


NOW_WRONG = (ALL_RIGHT, with_psnr("wrong"))
CASES = {
    "right": Case(lab),
    "wrong": Case(lambda: lab("return (sr - hr).mean()", with_psnr("wrong")), *[with_psnr("wrong")] * 2),
    "stub": Case(lambda: lab("return srlab.TODO", with_psnr("open")), *[with_psnr("open")] * 2),
    "cleared outputs": Case(
        lambda: lab(said=[""] * 4), ("not run",) * 4, ALL_RIGHT, "saved as 'not run yet', executed again 'right'"
    ),
    "Colab": Case(colab, files=("Copy of 00_degradation.ipynb",)),
    "VS Code": Case(vs_code),
    unicodedata.normalize("NFD", "Jürgen Öz"): Case(lab, files=("_2345_assignsubmission_file_00_degradation.ipynb",)),
    "deleted cells": Case(without_psnr, *[with_psnr("not in the file")] * 2),
    "syntax error": Case(
        lambda: lab("return (sr -", with_psnr("")),
        with_psnr("not run"),
        with_psnr("wrong"),
        "no psnr. SyntaxError",
    ),
    "endless loop": Case(code("exec('while True: pass')"), *NOW_WRONG, "It took too long"),
    "memory hog": Case(code("torch.ones(10**10)", RIGHT), *NOW_WRONG, "memory"),
    "writes outside": Case(code("open({folder!r} + '/precious', 'w')", RIGHT), *NOW_WRONG, "denied"),
    "writes inside": Case(code("pathlib.Path('here').write_text('mine')", RIGHT)),
    "deletes files": Case(code("shutil.rmtree({folder!r}, ignore_errors=True)", RIGHT)),
    "cuts files": Case(code("os.truncate({folder!r} + '/precious', 0)", RIGHT), *NOW_WRONG, "denied"),
    "reads others": Case(code("pathlib.Path({folder!r}, 'precious').read_text()", RIGHT), *NOW_WRONG, "denied"),
    "kills": Case(code("os.kill(os.getppid(), 9)", RIGHT), *NOW_WRONG, "not permitted"),
    "connects": Case(code("socket.socket()", RIGHT), *NOW_WRONG, "not permitted"),
    "locks out": Case(code("os.chmod({folder!r}, 0)", RIGHT), *NOW_WRONG, "not permitted"),
    "starves": Case(code("resource.prlimit(os.getppid(), 0, (0, 0))", RIGHT), *NOW_WRONG, "not permitted"),
    "leaves a process": Case(
        code("os.fork() or (os.setsid(), os.execlp('sleep', 'sleep', '98765'))", RIGHT), found=None
    ),
    "exit": Case(code("exit()"), *NOW_WRONG, "SystemExit"),
    "dies": Case(code("os._exit(0)"), *NOW_WRONG, "ended before the check did"),
    "two files": Case(lab, None, None, "several files of two files for degradation", ("a.ipynb", "b.ipynb")),
    "zip": Case(lambda: b"PK", None, None, "is no notebook; unpack it", ("lab.zip",)),
    "py": Case(lambda: b"psnr = 1", None, None, "ask for the .ipynb", ("00_degradation.py",)),
    "broken JSON": Case(lambda: b'{"cells": [{"outputs"', None, None, "no notebook of Jupyter"),
    "empty": Case(lambda: b"", None, None, "no notebook of Jupyter"),
    "foreign": Case(nbformat.v4.new_notebook, None, None, "has no exercises of this course"),
    "renamed": Case(renamed, files=("_my solution.ipynb",)),
    "older edition": Case(lambda: edition("degradation.luma"), note="of an older edition"),
    "newer edition": Case(lambda: edition("degradation.sharpen"), note="doesn't have the exercises"),
    "checked twice": Case(checked_twice),
    "forged": Case(lambda: lab("return 42.0"), *NOW_WRONG, "saved as 'right', executed again 'hint given'"),
    "absent": Case(lambda: b"", None, None, "nothing handed in", ()),
}


def hand_in(folder, *names):
    """Write what some of the class have handed in, with a file of the teacher beside it, and their names."""
    (folder / "all").mkdir()
    (folder / "precious").write_text("kept")
    for name in names:
        for file in CASES[name].files:
            path = folder / "all" / (name + file if file.startswith("_") else f"{name}/{file}")
            path.parent.mkdir(exist_ok=True)
            content = CASES[name].write()
            if not isinstance(content, bytes):
                content = json.dumps(content).replace("{folder!r}", f"'{folder}'").encode()
            path.write_bytes(content)
    (folder / "names.csv").write_text("name\n" + "\n".join(names), encoding="utf-8-sig")
    return folder


def read_table(folder):
    """Student -> row."""
    with (folder / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def compare(folder, which):
    """Hold a table against what it should say."""
    rows = read_table(folder)
    names = (folder / "names.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    assert list(rows) == names
    for name in names:
        row, case = rows[name], CASES[name]
        words = getattr(case, which)
        if words is not None:
            points = sum(n for n, word in zip((5, 3, 3, 5), words, strict=True) if word == "right")
            assert (name, *(row[f"degradation.{exercise}"] for exercise in EXERCISES)) == (name, *words), row["note"]
            assert (row["degradation"], row["degradation possible"]) == (str(points), "16")
        elif case.saved is None:
            assert row["degradation"] == row["degradation.psnr"] == ""
        if which == "found" or case.saved is None or case.note.startswith(("of an", "doesn't")):
            assert case.note in row["note"], name
        elif case.saved is not None:
            assert row["note"] == ""


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    return hand_in(tmp_path_factory.mktemp("school"), *CASES)


def test_the_table_says_of_everybody_what_was_saved(school, capsys):
    assert (
        main(
            ["progress", str(school / "all"), "--class", str(school / "names.csv"), "--csv", str(school / "grades.csv")]
        )
        == 2
    )
    compare(school, "saved")
    said = capsys.readouterr().out
    files = [path.relative_to(school / "all") for path in (school / "all").rglob("*") if path.is_file()]
    assert all(sum(line.startswith(f"{file}: ") for line in said.splitlines()) == 1 for file in files)
    absent = next(line for line in said.splitlines() if line.startswith("No degradation that counts: "))
    assert absent.partition(": ")[2].split("; ") == [name for name in CASES if CASES[name].saved is None]


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
        ("bo_ek_03_srgan.ipynb", {}, "bo_ek"),
        ("bo_ek/lab.ipynb", {}, "bo_ek"),
        ("lianna_LATE_123_4567_lab.ipynb", {}, "lianna"),
        ("homework.ipynb", {}, "homework"),
    ],
)
def test_whose_a_file_is(path, names, student):
    assert student_of(Path(path), names) == student


def test_a_class_list_is_one_name_a_line(tmp_path):
    file = tmp_path / "names.csv"
    file.write_bytes('\ufeffName\r\n"Li, Anna"\r\n\r\nAnna Li Wu;wuanna\r\nZoë\r\n'.encode())
    assert read_class(file) == CLASS
    for content, words in (
        (b"", "has no names"),
        (b"Anna Li\nLi, Anna", "anna li twice"),
        (b"Anna Li; al\nAl Ek; al", "has al twice"),
        (b"Anna Li\n---\nBo Ek", "has --- for a name"),
        (b"Anna Li; -", "has - for a name"),
        (b"\xff\xfe\xfc", "UTF-8"),
    ):
        file.write_bytes(content)
        with pytest.raises(SrlabError, match=words):
            read_class(file)


def test_what_the_system_made_has_a_line_and_a_name_is_no_formula(tmp_path, capsys):
    hand_in(tmp_path, "zip")
    (tmp_path / "all" / "=1+1_lab.zip").write_bytes(b"PK")
    (tmp_path / "all" / ".DS_Store").write_bytes(b"")
    assert main(["progress", str(tmp_path / "all"), "--csv", str(tmp_path / "grades.csv")]) == 2
    assert ".DS_Store: was made by a program, not by a student." in capsys.readouterr().out
    assert list(read_table(tmp_path)) == ["'=1+1_lab", "zip"]
    assert main(["progress", str(tmp_path / "all"), "--class", str(tmp_path / "names.csv")]) == 2
    assert "Not in the class list: =1+1_lab\n3 files of 2 students; not counted: 2." in capsys.readouterr().out
    assert main(["progress", str(tmp_path / "all"), "--csv", str(tmp_path / "grades.csv")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_the_quiz_has_a_column_and_a_line_of_its_own(tmp_path, capsys):
    right = "".join(question.right for question in read_questions("00_degradation")[:4])
    for name, answers in {"Bo Ek": right + "?", "Anna Li": "?????"}.items():
        notebook = lab()
        notebook.cells.append(nbformat.v4.new_code_cell(f'srlab.quiz("00_degradation", "{answers}")'))
        (tmp_path / "all" / name).mkdir(parents=True)
        nbformat.write(notebook, tmp_path / "all" / name / "00_degradation.ipynb")
    assert main(["progress", str(tmp_path / "all"), "--csv", str(tmp_path / "grades.csv")]) == 0
    assert {name: row["degradation quiz"] for name, row in read_table(tmp_path).items()} == {
        "Anna Li": "0",
        "Bo Ek": "4",
    }
    capsys.readouterr()
    assert main(["progress", str(tmp_path / "all" / "Bo Ek")]) == 0
    assert "\nquiz: 4 of 5 right\n" in capsys.readouterr().out


def recheck(folder, *options):
    command = [sys.executable, "-m", "srlab", "recheck", str(folder / "all"), "--class", str(folder / "names.csv")]
    command += ["--csv", str(folder / "grades.csv"), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)


isolated = pytest.mark.skipif(not isolation.available(), reason="needs Linux 6.12 or newer, with Landlock")


@isolated
@pytest.mark.long
def test_what_was_forged_or_does_harm_is_found_and_does_none(tmp_path):
    hand_in(tmp_path, "forged", "writes outside", "kills")
    done = recheck(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "degradation.psnr: saved as 'right', executed again 'hint given'." in done.stdout
    compare(tmp_path, "found")
    assert (tmp_path / "precious").read_text() == "kept"


@isolated
@pytest.mark.nightly
def test_a_whole_class_is_executed_again_and_harms_nobody(school):
    before = {path: path.read_bytes() for path in school.rglob("*") if path.is_file()}
    assert recheck(school, "--seconds", "20", "--force").returncode == 2
    compare(school, "found")
    after = {path: path.read_bytes() for path in school.rglob("*") if path.is_file()}
    assert after.keys() - before.keys() <= {school / "grades.csv"}
    assert all(after[path] == content for path, content in before.items() if path.name != "grades.csv")
    assert not any("98765" in process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
    assert not list(Path(tempfile.gettempdir()).glob("srlab-recheck-*"))
