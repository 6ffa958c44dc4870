"""Test the rules for notebooks that a program can check."""

import ast
import inspect
import itertools
import json
import re

import nbformat
import pytest

from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.quiz import count_right
from srlab_course.lab.recipes import read_book
from srlab_course.lab.setup import DEGRADATION
from srlab_course.notebook_files.claims import read_claims
from tests.conftest import EXTRAS, LABS, ROOT

KEPT = {"nbval-check-output", "keep_output"}
# All cells except the Colab cell, which tests/test_colab.py covers.
CELLS = {
    lab: [cell for cell in nbformat.read(lab, 4).cells if "colab" not in cell.metadata.get("tags", [])]
    for lab in (*LABS, *EXTRAS)
}
# A kind of cell, text that it must not have, and why.
FORBIDDEN = [
    ("code", r"lab\.expect\(", "claims are in notebooks/claims/"),
    ("code", r"\binteract(ive)?\(|\bOutput\(", "the output widget can make a headless run hang (nbclient 312)"),
    (
        "hide-input",
        r"\.fit\(|\.backward\(|[Tt]rainer\(|train_start\(|_hook\(|OneCycle|Milestones",
        "training is visible",
    ),
    ("markdown", r"!\[\s*\]|<img(?![^>]*\balt=[\"'][^\"'])", "an image has an alternative text"),
]


@pytest.fixture(params=CELLS, ids=lambda lab: lab.stem)
def lab(request):
    return request.param


@pytest.fixture
def cells(lab):
    return CELLS[lab]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize(("kind", "text", "why"), FORBIDDEN, ids=[why for *_, why in FORBIDDEN])
def test_cells_do_not_have(kind, text, why):
    cells = [(lab.stem, cell) for lab, cells in CELLS.items() for cell in cells]
    asked = [(lab, cell.source) for lab, cell in cells if kind in {cell.cell_type, *tags(cell)}]
    assert asked
    assert [(lab, source) for lab, source in asked if re.search(text, source)] == [], why


def test_each_comparison_is_shown(cells):
    """Jupyter shows the value of a cell's last line only, and not if that line is in an `if` or a loop."""
    for cell in code(cells):
        body = ast.parse(re.sub(r"^[%!].*", "", cell.source, flags=re.MULTILINE)).body
        lines = [node for one in body for node in ast.walk(one) if isinstance(node, ast.Expr)]
        made = [line for line in lines if ast.unparse(line).startswith("srlab.compare(")]
        assert made in ([], body[-1:]), cell.source


def test_form(lab, cells):
    text = lab.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, 4)
    assert text == nbformat.writes(notebook) + "\n", "not as Jupyter writes it; run `make clean-notebooks`"
    nbformat.validate(notebook)
    ids = [cell["id"] for cell in json.loads(text)["cells"]]  # nbformat would repair them
    assert len(set(ids)) == len(ids)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook.metadata
    assert cells[0].source.startswith(f"# Lab {lab.stem[:2]}: " if lab in LABS else "# ")
    assert "**Time:**" in cells[0].source
    first, second = code(cells)[:2]
    assert [cell for cell in cells if "parameters" in tags(cell)] == [first]
    assert f'course.setup("{lab.stem}", globals())' in second.source
    assert "111" not in "".join("1" if cell.metadata.get("jupyter", {}).get("source_hidden") else "0" for cell in cells)
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for name in re.findall(r"!\[[^\]]+\]\((?!https?:)([^)]+)\)", prose):
        assert (lab.parent / name).is_file(), name


def test_all_recipe_settings_are_used(lab, cells):
    by_setup = {"recipe", "iters", "run", "images", "validation", "device", "precision", "launch", "overrides"}
    by_setup |= {"photos", "center_crop", "start", "parameter_limit", *DEGRADATION.values()}
    book = read_book(ROOT / "notebooks" / "recipes" / f"{lab.stem}.py")
    shared = (
        (ROOT / "srlab_course" / "lab" / "gan_plumbing.py").read_text(encoding="utf-8") if "gan" in lab.stem else ""
    )
    shared = re.sub(r"^NOTED .*$", "", shared, flags=re.M)  # recording a setting in the manifest does not count as use
    rest = "\n".join([shared, *(cell.source for cell in code(cells)[1:]), *read_claims(lab.stem).values()])
    assert [name for name in book.parameters.keys() - by_setup if not re.search(rf"\b{name}\b", rest)] == []
    unused = [name for name in book.lab.values().keys() - by_setup if not re.search(rf'\blab\.{name}\b|"{name}"', rest)]
    assert [name for name in unused if not name.startswith("min_gain_")] == []


def test_saved_outputs(cells):
    for before, cell in itertools.pairwise(cells):
        if tags(cell) & KEPT:
            assert tags(cell) >= KEPT, f"needs both tags or none: {cell.source[:60]}"
            names = {output.get("name") for output in cell.outputs}
            assert names == {"stdout"}, f"run `make clean-notebooks`: {cell.source}"
            assert cell.execution_count, "nbval compares only outputs of a cell with a number: run refresh.py"
            assert not (before.cell_type == "markdown" and before.source.strip().endswith("?*")), cell.source
            assert ".reveal(" not in cell.source, cell.source
        else:
            kept = cell.get("outputs"), cell.get("execution_count")
            assert not any(kept), f"run `make clean-notebooks`: {cell.source}"


def test_exercises(cells):
    checks = [place for place, cell in enumerate(cells) if "course.check(" in cell.source]
    for number, place in enumerate(checks, start=1):
        text, stub, check = cells[place - 2 : place + 1]
        name, exercise, given = re.fullmatch(
            r'(\w+) = course\.check\("([\w.]+)", (\w+)\)', check.source.strip()
        ).groups()
        assert name == exercise.partition(".")[2] == given
        assert "return course.TODO" in stub.source
        assert "exercise" in tags(stub) & tags(check)
        form = rf"^\*\*Exercise {number}\.\*\* \*\d+ minutes, {find(exercise).points} points?\.\*"
        assert re.search(form, text.source, re.M), text.source


def test_claims(lab, cells):
    """Check that the functions called by claims exist; most claims only run at full length, which takes too long."""
    assert read_claims(lab.stem).keys() <= {cell.id for cell in code(cells)}
    modules = {}
    for line in re.findall(r"^(?:from srlab.* )?import .+$", "\n".join(cell.source for cell in code(cells)), re.M):
        exec(line, modules)
    for node in ast.walk(ast.parse("\n".join(read_claims(lab.stem).values()))):
        if isinstance(node, ast.Attribute) and inspect.ismodule(modules.get(getattr(node.value, "id", ""))):
            assert hasattr(modules[node.value.id], node.attr), ast.unparse(node)


def test_guesses_are_revealed(cells):
    left_out = {}  # guesses so far, and whether a study lacks them
    for cell in reversed(code(cells)):
        for name in re.findall(r"^(\w+) = course\.guess\(", cell.source, re.M):
            assert left_out.pop(name) or "not-in-studies" not in tags(cell), cell.source
        left_out |= dict.fromkeys(re.findall(r"(\w+)\.reveal\(", cell.source), "not-in-studies" in tags(cell))
    assert left_out == {}


def test_quiz(lab, cells):
    """Check that the quiz is unanswered and comes before the explanation task; the extras have none."""
    asked = [number for number, cell in enumerate(cells) if "quiz" in tags(cell) or "course.quiz(" in cell.source]
    if lab in EXTRAS:
        assert asked == []
        return
    (place,) = asked
    above, cell, below = cells[place - 1 : place + 2]
    assert (above.source, below.source) == ("## Five questions", "## Explain it to a friend")
    assert tags(cell) == {"quiz"}
    assert cell.source.splitlines()[1:] == [f'course.quiz("{lab.stem}", "?????")']
    assert list(count_right({"cells": [cell]}).values()) == [0]


def test_glossary_has_the_rows_of_all_labs():
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    whole = re.findall(r"^\| \d\d \| .*$", glossary, re.M)
    assert whole
    for lab in LABS:
        prose = "\n".join(cell.source for cell in CELLS[lab])
        row = rf"^\| {lab.stem[:2]} \| .*$"
        assert re.findall(row, prose, re.M) == [line for line in whole if re.match(row, line)], lab


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 7])
def test_cell_that_makes_a_trainer_records_its_code(number):
    """Otherwise a finished run of other code would be shown as the student's."""
    training = [cell.source for cell in code(CELLS[LABS[number]]) if re.search(r"[Tt]rainer\(", cell.source)]
    assert training
    assert all("course.record_code(lab, " in source for source in training)
