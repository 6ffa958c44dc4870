"""srlab shorten and srlab handout: a lab without some sections, and a page about a lab, both from the lab itself."""

import re

import nbformat
import pytest

from srlab.cli.main import main
from srlab.cli.shorten import check_numbers
from srlab.lab.notebooks import read_notebook
from srlab.lab.sections import read_sections, with_those_that_need_them
from tests.conftest import LABS, ROOT, load_script


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with one lab of three sections, of which the last needs the first; the working directory is in it."""
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "notebooks" / "recipes" / "00_a.yaml").touch()
    texts = ["# 00 Why?", "## 1. One", "*Which?* " + "word " * 199, "## 2. Two", "two", "## 3. Three"]
    texts += ["This section needs section 1.\n\n**Exercise 1.** *12 minutes, importance 5 of 5.* Do.", "## End", "end"]
    cells = [nbformat.v4.new_markdown_cell(text) for text in texts]
    cells.insert(7, nbformat.v4.new_code_cell('srlab.check("a.answer", answer)'))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "00_a.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_shorter_lab_lies_beside_the_whole_one_and_says_what_it_lacks_and_how_long_it_takes(course, capsys):
    assert main(["shorten", "00", "--without", "2"]) == 0
    said = "This copy is without section 2 of the lab. About 20 minutes, 12 of them for exercises."
    assert capsys.readouterr().out == f"notebooks/00_a.short.ipynb: {said}\n"
    whole, short = (read_notebook(course / "notebooks" / f"00_a{end}.ipynb").cells for end in ("", ".short"))
    assert short[1].source == f"**{said}**"
    assert short[:1] + short[2:] == whole[:3] + whole[5:]
    assert main(["shorten", "00", "--without", "1", "3", "-o", "elsewhere.ipynb"]) == 0
    assert "move it to notebooks to see them" in capsys.readouterr().out
    assert main(["shorten", "00"]) == 0
    rows = [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert rows[1:4] == [["1", "5", "3", "One"], ["2", "5", "-", "Two"], ["3", "15", "-", "Three"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--without", "1"],
            "Section 1 is needed in section 3: keep it, or leave out what hangs on it, too: --without 1 3.",
        ),
        (["--without", "4"], "There is no section 4; choose from 1, 2 and 3."),
        (["--without", "1", "2", "3"], "Some sections must stay"),
        (["--without", "2", "-o", "notebooks/00_a.ipynb"], "00_a.ipynb exists already; choose another name, or "),
        (["--without", "2", "-o", "short"], "short is no name for a notebook; end it in .ipynb."),
    ],
)
def test_what_cannot_be_left_out_or_written_is_one_sentence(course, capsys, options, words):
    before = (course / "notebooks" / "00_a.ipynb").read_bytes()
    assert main(["shorten", "00", *options]) == 2
    assert words in capsys.readouterr().err
    assert (course / "notebooks" / "00_a.ipynb").read_bytes() == before
    assert not list(course.rglob("*short*"))


def test_a_line_above_an_exercise_that_cannot_be_read_gives_its_minutes_to_no_other(course, capsys):
    lab = course / "notebooks" / "00_a.ipynb"
    lab.write_text(lab.read_text().replace("5 of 5.*", "5 of 5*."))
    assert main(["shorten", "00"]) == 2
    assert "Above the check of a.answer, in the cell " in capsys.readouterr().err


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_each_section_of_a_lab_can_go_with_those_that_need_it_and_not_without(lab):
    sections = read_sections(read_notebook(lab).cells)
    assert {section.sitting for section in sections.values()} == {1, 2, 3}
    for number in sections:
        check_numbers(sections, with_those_that_need_them(sections, {number}))


def test_a_handout_has_the_lab_s_question_guesses_exercises_and_words(capsys, tmp_path):
    assert main(["handout", "02"]) == 0
    page = capsys.readouterr().out
    notebook = read_notebook(ROOT / "notebooks" / "02_content_loss.ipynb")
    assert page.startswith(notebook.cells[0].source.partition("\n")[0])
    exercises = [exercise for s in read_sections(notebook.cells).values() for exercise in s.exercises]
    assert [f"| {e.number} `{e.name}` |" in page for e in exercises] == [True] * len(exercises)
    assert len(re.findall(r"^- Section \d: .*\? .*______$", page, re.M)) > 5
    assert "Can a network learn to see without labels?" not in page, "the title of an extra is no question to guess at"
    assert re.search(r"^- content loss: ", page, re.M)
    assert not re.search(r"^- psnr: ", page, re.M | re.I), "lab 00 has explained it"
    assert page.count("\n") < 70
    copy = str(tmp_path / "short.ipynb")
    assert main(["shorten", "02", "--without", "5", "6", "7", "8", "-o", copy]) == 0
    assert main(["handout", copy]) == 0
    page = capsys.readouterr().out
    assert "describe`" in page
    assert "ContentLoss`" not in page


def test_the_tables_for_teachers_follow_from_the_labs(monkeypatch):
    page = (ROOT / "teaching.md").read_text(encoding="utf-8")
    made = load_script(ROOT / "docs" / "tables.py").filled(page)
    assert made.count("by docs/tables.py -->") == 2
    assert made == page, "run python docs/tables.py"
