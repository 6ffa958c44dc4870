"""Test srlab progress and srlab grade, which read check results from saved notebooks without executing them."""

import contextlib
import copy
import csv
import functools
import json
import re
import shutil
import unicodedata
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
from srlab_course.feedback.quiz import read_questions
from srlab_course.notebooks.marks import checks_in, hints_in
from srlab_course.notebooks.validated import read_notebook
from srlab_course.teaching.grading import read_class, read_results, student_of
from srlab_course.teaching.solutions import fill_in
from tests.conftest import ROOT, left

CROP, PROJECT, MATRIX = "degradation.training_pairs", "degradation.back_project", "degradation.downscale_matrix"
PSNR, TAIL = "degradation.psnr", "srresnet.Tail"


def cell(name, *outputs, source=""):
    """Return the check cell of an exercise, with its saved outputs."""
    return nbformat.v4.new_code_cell(source or f'answer = course.check("{name}", answer)', outputs=list(outputs))


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


# --- One notebook -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", ["", "1"])
def test_check_saves_result_in_output(displayed, monkeypatch, strict):
    monkeypatch.setenv("SRLAB_STRICT", strict)
    cells = [cell(PSNR)]
    for name, answer in {CROP: find(CROP).reference, PROJECT: lambda sr, lr, down, up: sr, MATRIX: TODO}.items():
        displayed.clear()
        with contextlib.suppress(SrlabError):
            check(name, answer)
        cells.append(cell(name, nbformat.v4.new_output("stream", text="right   so says the answer"), *displayed))
    wanted = {CROP: "correct", PROJECT: "incorrect", MATRIX: "not attempted", PSNR: "not run"}
    assert {name: result for name, result in read_results(notebook(*cells)).items() if result != "missing"} == wanted


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
    hints = hints_in(cell(TAIL, displayed[-1]))
    assert hints == {TAIL: [exercise.known_mistakes[0].name, "re-created"]}


def test_grade_counts_hints(tmp_path, capsys):
    for student, hints in {"Ada": "nearest; a &amp; b", "Bo": "nearest", "Cy": ""}.items():
        nbformat.write(notebook(cell(TAIL, left(TAIL, "correct", hints))), tmp_path / f"{student}.ipynb")
    (tmp_path / "Di.ipynb").write_text(
        nbformat.writes(notebook(cell(TAIL, left(TAIL, "correct")))).replace(' data-srlab-hints=\\"\\"', "")
    )
    main(["grade", str(tmp_path)])
    printed = capsys.readouterr().out
    assert f"Hints of {TAIL}: nearest 2, a & b 1\n" in printed
    assert printed.count("srresnet 3 of") == 4, "a mark of an earlier edition"


WRONG, RIGHT = left(CROP, "incorrect"), left(CROP, "correct")


@pytest.mark.parametrize(
    ("cells", "results"),
    [
        ([cell(CROP, WRONG), cell(CROP, RIGHT)], {CROP: "correct"}),
        ([cell(CROP, RIGHT), cell(CROP, WRONG)], {CROP: "incorrect"}),
        ([cell(CROP, WRONG, RIGHT)], {CROP: "correct", PSNR: "missing"}),
        ([cell(CROP), cell("", source=f"# course.check('{PSNR}', psnr)")], {CROP: "not run", PSNR: "missing"}),
        ([cell("", source=f"%%time\n%matplotlib inline\ncheck(\n    answer=x, name='{PSNR}')")], {PSNR: "not run"}),
        ([cell("degradation.luma", left("degradation.luma", "correct"))], {}),
    ],
)
def test_last_executed_check_counts(cells, results):
    found = read_results(notebook(*cells))
    assert found | results == found
    assert bool(found) == bool(results)


def test_progress_reads_labs(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert main(["progress"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["00_degradation: 0 of 6 correct, quiz 0 of 5", "01_srresnet: 0 of 9 correct, quiz 0 of 5"]
    assert "attention: 0 of 4 correct" in lines
    labs = [line.partition(":")[0] for line in lines[:-1]]
    assert main(["progress", *labs]) == 0
    said = capsys.readouterr().out
    assert dict(re.findall(r"^exercise \d+ +(\S+) +(?:easy|medium|hard) +(.*)$", said, re.M)) == dict.fromkeys(
        names(), "not run"
    )
    first = ["00_degradation", "exercise 2  degradation.downscale_matrix", "exercise 3  degradation.psnr"]
    places = [said.index(words) for words in (*first, "01_srresnet", "exercise 1  srresnet.Block")]
    assert places == sorted(places), "the order of the notebook"
    folder = shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("*.png"))
    (folder / "00_degradation.ipynb").write_text("{}", encoding="utf-16")
    monkeypatch.chdir(tmp_path)
    assert main(["progress"]) == 2
    said = capsys.readouterr()
    assert "03_srgan: 0 of 7 correct" in said.out
    assert "00_degradation" not in said.out
    assert main(["progress", "nosuch.ipynb"]) == 2
    assert capsys.readouterr() == ("", "srlab: File nosuch.ipynb not found. Check the path.\n")


def test_grading_executes_and_prints_nothing_from_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    escape = "\x1b[2J\x1b]0;mine\x07\u202e"
    source = f'%run x\nopen("ran", "w")  # {escape}\nsrlab.check("{CROP}", 1)\nsrlab.check("{escape}.luma", 1)'
    hostile = cell(CROP, nbformat.v4.new_output("stream", text=escape), left(CROP, escape), RIGHT, source=source)
    nbformat.write(notebook(hostile), f"a{escape}\n.ipynb")
    Path(f"b{escape}\n.ipynb").write_text("[" * 100_000)
    for command in (["progress", *map(str, Path().iterdir())], ["grade", "."]):
        assert main(command) == 2
        output = capsys.readouterr()
        assert all(line.isprintable() for line in (output.out + output.err).split("\n"))
        assert "correct" in output.out or "5 of 23 points" in output.out
    assert not Path("ran").exists()


# --- A class ----------------------------------------------------------------------------------------------------


@functools.cache
def solved():
    """Return lab 00 with all exercises solved, and four of its five questions answered."""
    found = read_notebook(ROOT / "notebooks" / "00_degradation.ipynb")
    fill_in(found)
    letters = "".join(question.right for question in read_questions("00_degradation")[:4])
    for one in found.cells:
        one.source = one.source.replace('"?????"', f'"{letters}?"')
    return found


def lab(psnr="correct", drop=""):
    """Return the solved lab with the outputs of its checks."""
    found = copy.deepcopy(solved())
    found.cells = [one for one in found.cells if not drop or drop not in one.source]
    for one in found.cells:
        for name in checks_in(one.source) if one.cell_type == "code" else ():
            one.outputs = [left(name, psnr if name == PSNR else "correct")]
    return json.dumps(found).encode()


def colab():
    """Return the lab as Colab saves it, without ids."""
    made = json.loads(lab()) | {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}, "accelerator": "GPU"}}
    return json.dumps(
        made | {"cells": [{key: cell[key] for key in cell if key != "id"} for cell in made["cells"]]}
    ).encode()


PSNR_COLUMN, MATRIX_COLUMN = ".psnr (exercise 3)", ".downscale_matrix (exercise 2)"
JUERGEN = unicodedata.normalize("NFD", "Jürgen Öz")
UNREADABLE = "is not a readable notebook"
COUNTED = {  # student -> content, result of PSNR, and file
    "Ann": (lab, "correct", "Ann/00_degradation.ipynb"),
    "Bo Wrong": (lambda: lab("incorrect"), "incorrect", "Bo_bo/lab.ipynb"),
    "Cleared": (lambda: lab("no such word"), "not run", "Cleared/lab.ipynb"),
    "Deleted": (lambda: lab(drop='"degradation.psnr"'), "missing", "Deleted/lab.ipynb"),
    "From Colab": (colab, "correct", "From Colab/Copy of 00_degradation.ipynb"),
    JUERGEN: (lab, "correct", f"{JUERGEN}_2345_assignsubmission_file_/00_degradation.ipynb"),
}
NOT_COUNTED = {  # student -> content, note in the table, and files
    "Two": (lab, "one of several files from Two for degradation", "Two/a.ipynb", "Two/b.ipynb"),
    "Zip": (lambda: b"PK", UNREADABLE, "Zip/lab.zip"),
    "Broken": (lambda: b'{"cells": [{"outputs"', UNREADABLE, "Broken/lab.ipynb"),
    "Odd": (lambda: b'{"nbformat": 4, "cells": [{"outputs": [null]}]}', UNREADABLE, "Odd/lab.ipynb"),
    "Foreign": (lambda: nbformat.writes(notebook()).encode(), "has no exercises of this version", "Foreign/lab.ipynb"),
    "Absent": (None, "nothing submitted"),
}
STRANGER = "=1+1_lab"


@pytest.fixture
def school(tmp_path, monkeypatch):
    """Create a class list, and a folder with one subfolder per student."""
    files = {file: write for write, _, *files in (COUNTED | NOT_COUNTED).values() for file in files}
    files |= dict.fromkeys((f"{STRANGER}.zip", ".DS_Store", "__MACOSX/x.ipynb"), bytes)
    for file, write in files.items():
        (tmp_path / "all" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / file).write_bytes(write())
    listed = "\n".join(["name", *COUNTED, *NOT_COUNTED]).replace("Bo Wrong", "Bo Wrong; Bo_bo")
    (tmp_path / "names.csv").write_text(listed, encoding="utf-8-sig")
    monkeypatch.chdir(tmp_path)


def test_grades_have_row_per_student_and_line_per_file(school, capsys):
    command = ["grade", "all", "--class", "names.csv", "--csv", "grades.csv"]
    assert main(command) == 2
    said, before = capsys.readouterr().out, Path("grades.csv").read_bytes()
    assert before.startswith(b"\xef\xbb\xbf"), "Excel would assume another encoding"
    rows = {row["student"]: row for row in csv.DictReader(before.decode("utf-8-sig").splitlines())}
    columns = [column for column in rows["Ann"] if column.startswith("degradation.")]
    assert re.findall(r"exercise (\d)", " ".join(columns)) == list("123456"), "the order of the notebook"
    assert list(rows) == [*COUNTED, *NOT_COUNTED, f"'{STRANGER}"]
    for name, (_, result, file) in COUNTED.items():
        told = [rows[name][f"degradation{part}"] for part in ("", PSNR_COLUMN, MATRIX_COLUMN, " possible", " quiz")]
        assert told == ["23" if result == "correct" else "20", result, "correct", "23", "4"], name  # psnr has 3 points
        assert rows[name]["note"] == "", "the answers of all are the course's solution"
        assert said.count(f"{file}: ") == 1
    for name, (_, note, *files) in NOT_COUNTED.items():
        assert rows[name]["degradation"] == rows[name][f"degradation{PSNR_COLUMN}"] == ""
        assert rows[name]["degradation quiz"] == ""
        assert note in rows[name]["note"], name
        assert [said.count(f"{file}: ") for file in files] == [1] * len(files)
    assert f"No valid degradation submission: {'; '.join([*NOT_COUNTED, STRANGER])}\n" in said
    assert f"Not in the class list: {STRANGER}\n13 files from 12 students; not counted: 7.\n" in said, (
        "no file is hidden"
    )
    assert main(command) == 2
    assert "already exists" in capsys.readouterr().err
    assert Path("grades.csv").read_bytes() == before
    Path("grades.csv").rename("all/grades.csv")
    assert main(["grade", "all", "--class", "names.csv", "--csv", "all/grades.csv", "--force"]) == 2
    assert Path("all/grades.csv").read_bytes() == before, "the table is not a submission"


KNOWN = {"anna li": "Li, Anna", "anna li wu": "Anna Li Wu", "wuanna": "Anna Li Wu", "zoë": "Zoë"}


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("Anna Li_1234_assignsubmission_file_/lab.ipynb", "Li, Anna"),
        ("anna_li_wu_03_srgan.ipynb", "Anna Li Wu"),
        ("wuanna_LATE_123_4567_lab.ipynb", "Anna Li Wu"),
        ("Zoe\u0308/deep/lab.ipynb", "Zoë"),
        ("Zo#U00eb_1234_assignsubmission_file_lab.ipynb", "Zoë"),
        ("bo_ek_03_srgan.ipynb", "bo_ek"),
    ],
)
def test_student_is_found_from_file_name(path, student):
    assert student_of(Path(path), KNOWN) == student


@pytest.mark.parametrize(
    ("listed", "submitted"),
    [
        ("Işık Yılmaz", "IŞIK YILMAZ"),
        ("İrem Çelik", "irem çelik"),
        ("GROSS, JÖRG", "Jörg Groß"),
        ("Siobhán O’Brien", "Siobhán O'Brien"),
        ("Jean-Luc Picard", "picard_jean-luc"),
        ("मीरा शर्मा", "शर्मा मीरा"),
    ],
)
def test_name_is_found_in_any_case_and_order(tmp_path, listed, submitted):
    (tmp_path / "names.txt").write_text(listed, encoding="utf-8")
    assert student_of(Path(f"{submitted}_1234_file_/lab.ipynb"), read_class(tmp_path / "names.txt")) == listed


@pytest.mark.parametrize(
    "pair", [("मीरा शर्मा", "मीरी शर्मा"), ("নীলা দাস", "নিলা দাস"), ("கமலா", "கமலி"), ("สุดา ใจดี", "สุดี ใจดา")]
)
def test_vowels_that_are_combining_marks_distinguish_names(tmp_path, pair):
    (tmp_path / "names.txt").write_text("\n".join(pair), encoding="utf-8")
    known = read_class(tmp_path / "names.txt")
    assert [student_of(Path(f"{name}/lab.ipynb"), known) for name in pair] == list(pair)


def test_class_list(tmp_path):
    file = tmp_path / "names.csv"
    file.write_bytes('\ufeffName;Alias\r\n"Li, Anna"; -\r\n\r\n---\r\nAnna Li Wu;wuanna\r\nZoë\r\n'.encode())
    assert read_class(file) == KNOWN
    contents = {
        "contains no names": b"",
        "Li, Anna for two students": b"Anna Li\nLi, Anna",
        "Al for two students": b"A; al\nAl",
        "UTF-8": b"\xff",
    }
    for words, content in contents.items():
        file.write_bytes(content)
        with pytest.raises(SrlabError, match=words):
            read_class(file)


# --- Notes ------------------------------------------------------------------------------------------------------


def printed(name, verdict):
    """Return what a check prints above its mark."""
    return nbformat.v4.new_output("stream", text=f"{name} (easy)\n  passed  a case\n  {verdict}\n")


ACCEPTED, STUB = "correct The lab will use your answer.", "not attempted  The lab uses the reference solution for now."


def submit(folder, student, found):
    (folder / student).mkdir(parents=True)
    nbformat.write(found, folder / student / "lab.ipynb")


def noted(folder, capsys):
    """Grade a folder, and return the points and the note of each student."""
    main(["grade", str(folder), "--csv", str(folder / "grades.csv"), "--force"])
    said = capsys.readouterr().out
    rows = list(csv.DictReader((folder / "grades.csv").read_text(encoding="utf-8-sig").splitlines()))
    for row in rows:
        assert row["note"].partition(" ")[2] in said
    assert "not counted: 0." in said, "a note is not a verdict"
    return {row["student"]: (row["degradation"], row["note"]) for row in rows}


def test_forged_results_of_an_untouched_lab_get_notes(tmp_path, capsys):
    found = read_notebook(ROOT / "notebooks" / "00_degradation.ipynb")
    for one in found.cells:
        for name in checks_in(one.source) if one.cell_type == "code" else ():
            one.outputs = [printed(name, STUB), left(name, "not attempted")]
    submit(tmp_path, "Honest", found)
    submit(tmp_path, "Forger", nbformat.from_dict(json.loads(json.dumps(found).replace("not attempted", "correct"))))
    notes = noted(tmp_path, capsys)
    assert notes["Honest"] == ("0", "")
    assert notes["Forger"][0] == "23"
    for name in (PSNR, MATRIX, CROP, PROJECT):
        assert f"{name} is correct, but its answer is missing or still contains course.TODO." in notes["Forger"][1]
        assert f"{name} is saved as correct, but the text above" in notes["Forger"][1]


def answered(definition, verdict=ACCEPTED, result="correct"):
    """Return a notebook with the answer to the exercise about PSNR, and its check."""
    defined = [nbformat.v4.new_code_cell(definition)] if definition else []
    return notebook(*defined, cell(PSNR, printed(PSNR, verdict), left(PSNR, result)))


ONE_CELL = f"def psnr(sr, hr, crop): return 10\npsnr = course.check('{PSNR}', psnr)"
IN_ONE_CELL = notebook(cell(PSNR, printed(PSNR, ACCEPTED), left(PSNR, "correct"), source=ONE_CELL))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (answered("def psnr(sr, hr, crop):\n    return 10"), ""),
        (answered("%matplotlib inline\npsnr = lambda sr, hr, crop: 10  # course.TODO"), ""),
        (answered("from mine import psnr"), ""),
        (answered("def psnr(sr, hr, crop):\n    return course.TODO", STUB, "not attempted"), ""),
        (answered("def psnr(sr, hr, crop):\n    return 10", "hint    Think.", "incorrect"), ""),
        (answered("def psnr(sr, hr, crop):\n    return 10", f"\033[1;38;5;28mcorrect\033[0m {ACCEPTED[8:]}"), ""),
        (IN_ONE_CELL, ""),
        (answered(""), "no cell defines psnr"),
        (answered("def other(): pass"), "no cell defines psnr"),
        (answered("def psnr(sr, hr, crop):\n    return course.TODO"), "its answer is missing or still contains"),
        (answered('def psnr(sr, hr, crop):\n    """Score."""'), "its answer is missing or still contains"),
        (answered("def psnr(sr, hr, crop):\n    return 10", STUB), "saved as correct, but the text"),
        (answered("def psnr(sr, hr, crop):\n    return 10", "hint    Think."), "saved as correct, but the text"),
        (answered("def psnr(sr, hr, crop):\n    return 10", ACCEPTED, "incorrect"), "saved as incorrect, but the text"),
    ],
)
def test_result_without_fitting_answer_or_text_gets_a_note(found, words, tmp_path, capsys):
    submit(tmp_path, "Ann", found)
    ((_, note),) = noted(tmp_path, capsys).values()
    assert words in note
    assert bool(words) == bool(note)


LARGE = """
def psnr(sr, hr, crop):
    height, width = sr.shape[-2:]
    mine = sr[..., crop : height - crop, crop : width - crop]
    other = hr[..., crop : height - crop, crop : width - crop]
    error = (mine - other) ** 2
    total = error.sum(dim=(1, 2, 3)) / error[0].numel()
    return (10 * torch.log10(1 / total)).mean()
"""
COPY = LARGE.replace("error", "d").replace("(sr, hr, crop):", '(sr, hr, crop: int):\n    """My own."""  # mine')


def test_equal_large_answers_of_two_students_get_notes(tmp_path, capsys):
    small = "def psnr(sr, hr, crop):\n    return srlab.psnr(sr, hr)"
    submissions = {"Ann": LARGE, "Bo": COPY, "Cy": LARGE.replace("10 *", "20 *"), "Di": small, "Ed": small}
    for student, definition in submissions.items():
        submit(tmp_path, student, answered(definition))
    notes = {student: note for student, (_, note) in noted(tmp_path, capsys).items() if note}
    assert notes == {
        "Ann": f"Ann/lab.ipynb {PSNR} has the same code as that of Bo.",
        "Bo": f"Bo/lab.ipynb {PSNR} has the same code as that of Ann.",
    }
    for student in ("Fay", "Gil", "Hal"):
        submit(tmp_path, student, answered(LARGE))
    assert noted(tmp_path, capsys)["Ann"][1].endswith("that of Bo, Fay, Gil and 1 more.")


def test_deeply_nested_code_does_not_end_the_batch(tmp_path, capsys):
    for student, value in {"Ann": "-" * 900 + "1", "Bo": "a" + ".b" * 2000, "Cy": "1" + "+1" * 5000}.items():
        submit(tmp_path, student, answered(f"def psnr(sr, hr, crop):\n    return {value}"))
    submit(tmp_path, "Di", answered(LARGE))
    main(["grade", str(tmp_path)])
    said = capsys.readouterr().out
    assert "Di/lab.ipynb: Di: degradation 3 of 23 points\n" in said
    assert "Ann: degradation 3 of 23 points. Note: Its code is nested too deeply" in said
