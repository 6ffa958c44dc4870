"""Test srlab grade, which reads the saved results of a class without executing anything."""

import ast
import copy
import csv
import functools
import io
import json
import os
import re
import sys
import unicodedata
from pathlib import Path

import nbformat
import pytest

from srlab.cli.main import main
from srlab.errors import SrlabError
from srlab_course.feedback.quiz import read_questions
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.marks import Result, checks_in
from srlab_course.teaching.grading import Submission, read_class, table_of
from srlab_course.teaching.solutions import fill_in
from tests.conftest import ROOT, left

PSNR = "degradation.psnr"
NFC = functools.partial(unicodedata.normalize, "NFC")


@functools.cache
def solved():
    """Return lab 00 with all exercises solved, and four of its five questions answered."""
    found = read_notebook(ROOT / "notebooks" / "00_degradation.ipynb")
    fill_in(found)
    letters = "".join(question.right for question in read_questions("00_degradation")[:4])
    for one in found.cells:
        one.source = one.source.replace('"?????"', f'"{letters}?"')
    return found


def lab(psnr="correct", drop="", hints="", found=None):
    """Return a lab, the solved one by default, with the outputs of its checks."""
    found = copy.deepcopy(found or solved())
    found.cells = [one for one in found.cells if not drop or drop not in one.source]
    for one in found.cells:
        for name in checks_in(one.source) if one.cell_type == "code" else ():
            one.outputs = [left(name, psnr, hints) if name == PSNR else left(name, "correct")]
    return json.dumps(found).encode()


def colab():
    """Return the lab as Colab saves it, without ids."""
    made = json.loads(lab()) | {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}, "accelerator": "GPU"}}
    made["cells"] = [{key: cell[key] for key in cell if key != "id"} for cell in made["cells"]]
    return json.dumps(made).encode()


EMPTY = nbformat.writes(nbformat.v4.new_notebook()).encode()
UNREADABLE = "is not a readable notebook"
OTHER = "is not a notebook. If it is an archive, unpack it"
JUERGEN = unicodedata.normalize("NFD", "Jürgen Öz")
COUNTED = {  # file -> content, and result of PSNR
    "Ann/00_degradation.ipynb": (lab(hints="sum of squares; a &amp; b"), "correct"),
    "Bo/lab.ipynb": (lab("incorrect", hints="sum of squares"), "incorrect"),
    "Bo Wrong/lab.ipynb": (lab(), "correct"),  # not in the class list, but Bo's name in the gradebook
    "Cleared/deep/lab.ipynb": (lab("no such word"), "not run"),
    "Deleted/lab.ipynb": (lab(drop=f'"{PSNR}"'), "missing"),
    "Earlier edition/lab.ipynb": (lab().replace(b' data-srlab-hints=\\"\\"', b""), "correct"),
    "From Colab/Copy of 00_degradation.ipynb": (colab(), "correct"),
    "Wei Wang_1041_assignsubmission_file/lab.ipynb": (lab(), "correct"),  # Moodle
    "Wei Wang_2077_assignsubmission_file/lab.ipynb": (lab("incorrect"), "incorrect"),
    "wangwei_LATE_1041_99_lab.ipynb": (lab(), "correct"),  # Canvas
    f"{JUERGEN}/lab.ipynb": (lab(), "correct"),
}
NOT_COUNTED = {  # file -> content, and note
    "Two/a.ipynb": (lab(), "is one of several files from Two for degradation. Keep one."),
    "Two/b.ipynb": (lab(), "is one of several files from Two for degradation. Keep one."),
    "=1+1/lab.zip": (b"PK", OTHER),
    "Broken/lab.ipynb": (b'{"cells": [{"outputs"', UNREADABLE),
    "Odd/lab.ipynb": (b'{"nbformat": 4, "cells": [{"outputs": [null]}]}', UNREADABLE),
    "Harm/lab.ipynb": (lab(hints=f"&#{'1' * 5000};"), UNREADABLE),  # Python does not turn that into a number
    "Foreign/lab.ipynb": (EMPTY, "has no exercises of this version"),
}
PASSED_OVER = ["Ann/README.md", "Ann/1_network.ipynb", "=1+1/a.txt", ".DS_Store"]
CLASS = f"\ufeffAnn\nBo; Bo Wrong\n\nWei Wang_1041_assignsubmission_file;Wei Wang\nAbsent\n{NFC(JUERGEN)}"
NAMES = {"Ann": "Ann", "Bo": "Bo Wrong", "Wei Wang_1041_assignsubmission_file": "Wei Wang", NFC(JUERGEN): NFC(JUERGEN)}


@pytest.fixture
def school(tmp_path, monkeypatch):
    """Create a class list and the submissions."""
    for file, (content, _) in (COUNTED | NOT_COUNTED | dict.fromkeys(PASSED_OVER, (EMPTY, ""))).items():
        (tmp_path / "all" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / file).write_bytes(content)
    (tmp_path / "names.txt").write_text(CLASS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def student_of(file):
    """Return the name in the gradebook of the student who submitted a file."""
    folder = NFC(file.partition("/")[0].removesuffix(".ipynb"))
    return NAMES.get(folder, folder.replace("=1", "'=1") + " (not in the class list)")


FORMULAS = [
    "=1+1",
    "a\r=1+1",
    "a\n=1",
    "＝1+1",
    "x;\u3000－1",
    'x;"=1"',
    "x;=cmd|' /C calc'!A0;",
    "x; =1",
    "\t=1",
    "+1",
    "@a",
    '";=1;"',
    "-1",
]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("separator", [",", ";"])
def test_no_cell_of_the_gradebook_is_a_formula(name, separator):
    text = table_of([Submission(Path("a.ipynb"), note=name)], {"a": name}).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
    assert any("1" in cell or "a" in cell for cell in cells)
    begins = [unicodedata.normalize("NFKC", cell).strip(' "')[:1] for cell in cells]
    assert not {*"=+-@"} & {*begins}
    assert len(text.splitlines()) == 2


def test_gradebook_has_a_row_per_folder_or_file(school, capsys):
    command = ["grade", "all", "--class", "names.txt", "--csv", "grades.csv"]
    assert main(command) == 2
    said, table = capsys.readouterr().out, Path("grades.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbf"), "Excel would assume another encoding"
    rows = list(csv.DictReader(table.decode("utf-8-sig").splitlines()))
    exercises = [column for column in rows[0] if column.startswith("degradation.")]
    assert re.findall(r"exercise (\d)", " ".join(exercises)) == list("12345"), "the order of the notebook"
    by_name = {row["student"]: row for row in rows}
    assert len(by_name) == len(rows) == 18
    keys = ("degradation", "degradation possible", "degradation.psnr (exercise 3)", "degradation quiz", "note")
    for file, (_, result) in COUNTED.items():
        points = "18" if result == "correct" else "15"  # psnr has 3 points
        assert [by_name[student_of(file)][key] for key in keys] == [points, "18", result, "4", ""], file
    for file, (_, note) in NOT_COUNTED.items():
        *results, noted = (by_name[student_of(file)][key] for key in keys)
        assert results == ["0", "18", "", ""]
        assert f"{file} {note}" in noted
        assert noted.startswith("No valid submission of degradation. ")
    assert [by_name["Absent"][key] for key in keys] == ["0", "18", "", "", "Nothing submitted."]
    assert all(said.count(f"{file}: ") == 1 for file in COUNTED | NOT_COUNTED), "no file is hidden"
    assert "Bo/lab.ipynb: Bo Wrong: degradation 15 of 18 points, quiz 4 of 5\n" in said
    assert "No valid degradation submission: Absent; =1+1 (not in the class list); Broken (not " in said
    assert "Not in the class list: =1+1; Bo Wrong; " in said
    assert "Not read: notebooks without exercises (1_network.ipynb) and 2 files that are not notebooks.\n" in said
    assert f"Hints of {PSNR}: sum of squares 2, other 1\n18 files from 17 students; not counted: 7.\n" in said
    assert main(command) == 2
    assert "already exists" in capsys.readouterr().err
    assert Path("grades.csv").read_bytes() == table


def test_neither_a_long_path_nor_many_files_hide_a_note():
    odd = "degradation.psnr is correct, but still contains course.TODO."
    many = [Submission(Path("Ann", "x" * 5000), note=UNREADABLE)] * 400
    found = Submission(Path("Ann", "x " * 5000, "lab.ipynb"), {PSNR: Result.CORRECT}, note=odd)
    (ann,) = csv.DictReader(io.StringIO(table_of([*many, found], {"Ann": "Ann"}).decode("utf-8-sig")))
    assert f"lab.ipynb {odd} Ann" in ann["note"][:200]
    assert 5000 < len(ann["note"]) <= 10_000


def nest(folder, depth):
    """Make a notebook in nested folders; its path may be longer than the system allows."""
    here = Path.cwd()
    for name in (folder, *depth * ["x" * 200]):
        Path(name).mkdir()
        os.chdir(name)
    Path("lab.ipynb").write_bytes(lab())
    os.chdir(here)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such paths")
def test_no_folder_or_link_stops_a_class_or_shows_another_file(tmp_path, capsys):
    everything = tmp_path / "all"
    for name, depth in {".": 0, "Deep": 10, "Too deep": 25}.items():
        nest(everything / name, depth)
    (everything / "lab.ipynb").rename(tmp_path / "elsewhere.ipynb")
    (everything / "Link").mkdir()
    (everything / "Link" / "lab.ipynb").symlink_to(tmp_path / "elsewhere.ipynb")
    (everything / "Linked").symlink_to(everything / "Deep")
    (everything / "Loop").symlink_to(everything)
    assert main(["grade", str(everything), "--csv", str(tmp_path / "grades.csv")]) == 2
    rows = csv.DictReader((tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines())
    found = {row["student"]: row["degradation"] for row in rows}
    assert found == {"Deep": "18"} | dict.fromkeys(["Link", "Linked", "Loop", "Too deep"], "0")


def test_correct_answer_that_is_still_a_stub_gets_a_note(tmp_path, capsys):
    (tmp_path / "Ann.ipynb").write_bytes(lab(found=read_notebook(ROOT / "notebooks" / "00_degradation.ipynb")))
    assert main(["grade", str(tmp_path)]) == 0, "a note is not a verdict"
    said = capsys.readouterr().out
    assert "Ann: degradation 18 of 18 points, quiz 0 of 5. Note: " in said
    assert said.count("is correct, but still contains course.TODO.") == 5


def test_mark_that_any_cell_can_display_gets_a_note(tmp_path, capsys):
    forged = json.loads(lab("incorrect"))
    forged["cells"].append(nbformat.v4.new_code_cell("display(HTML(mark))", outputs=[left(PSNR, "correct", "forged")]))
    (tmp_path / "Ann.ipynb").write_text(json.dumps(forged), encoding="utf-8")
    assert main(["grade", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"15 of 18 points, quiz 4 of 5. Note: Look at all cells with results of {PSNR}: " in said
    assert "forged" not in said


def test_cell_is_parsed_once(tmp_path, monkeypatch):
    parse, parsed = ast.parse, []
    monkeypatch.setattr(ast, "parse", lambda text: parsed.append(text) or parse(text))
    stacked = "\u0316\uff9e"  # a combining character, and one that becomes one in a name
    sources = [f"check('{PSNR}', 1)  # {tmp_path}", f"quiz(x{stacked * 15}) # check"]
    sources += ["#" * 50_000 + "quiz", f"quiz(x{stacked * 16})"]
    nbformat.write(nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, sources)]), tmp_path / "Ann.ipynb")
    assert main(["grade", str(tmp_path)]) == 0
    assert parsed == sources[:2]


def test_grading_executes_and_prints_nothing_from_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    escape = "\x1b[2J\x1b]0;mine\x07\u202e"
    source = f'%run x\nopen("ran", "w")  # {escape}\nsrlab.check("{PSNR}", 1)\nsrlab.check("{escape}.luma", 1)'
    outputs = [nbformat.v4.new_output("stream", text=escape), left(PSNR, escape), left(PSNR, "correct")]
    cells = [nbformat.v4.new_code_cell(source, outputs=outputs)]
    cells += [nbformat.v4.new_code_cell(f"check({code})") for code in ("-" * 900 + "1", "a" + ".b" * 2000, "(" * 5000)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), f"a{escape}\n.ipynb")
    Path(f"b{escape}\n.ipynb").write_text("[" * 100_000, encoding="utf-8")
    assert main(["grade", "."]) == 2
    assert main(["progress", f"a{escape}\n.ipynb"]) == 0
    said = "".join(capsys.readouterr())
    assert all(line.isprintable() for line in said.split("\n"))
    assert "degradation 3 of 18 points\n" in said
    assert "1 of 5 correct\n" in said
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "contains no names"),
        (b"\xff", "UTF-8"),
        (b"Wei Wang\nBo\nWei Wang", "one name for two students, in the line 'Wei Wang'"),
        (b"a;Wei Wang\nb;Wei Wang", "in the line 'b;Wei Wang'"),
        (b"a;Wei\na;Wang", "in the line 'a;Wang'"),
    ],
)
def test_class_list_needs_a_name_for_each_student(content, words, tmp_path):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(SrlabError, match=words):
        read_class(tmp_path / "names.txt")
