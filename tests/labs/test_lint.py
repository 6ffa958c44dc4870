"""The notebook contract, as far as a program can hold it."""

import ast
import itertools
import json
import re

import nbformat
import pytest

from srlab.exercises.quiz import count_right
from srlab.lab.claims import read_claims
from srlab.lab.recipes import read_book

from .conftest import EXTRAS, LABS, ROOT

KEPT = {"nbval-check-output", "keep_output"}


@pytest.fixture(params=[*LABS, *EXTRAS], ids=lambda lab: lab.stem)
def lab(request):
    return request.param


@pytest.fixture
def cells(lab):
    """All but the cell for Colab, which tests/test_colab.py is about."""
    return [cell for cell in nbformat.read(lab, 4).cells if "colab" not in tags(cell)]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def prose(cells):
    return [cell for cell in cells if cell.cell_type == "markdown"]


def test_file_is_valid_with_fixed_ids_and_a_plain_kernel(lab):
    raw = json.loads(lab.read_text(encoding="utf-8"))
    notebook = nbformat.read(lab, 4)
    nbformat.validate(notebook)
    assert raw["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in raw["metadata"]
    ids = [cell["id"] for cell in raw["cells"]]
    assert len(set(ids)) == len(ids)


def test_starts_with_title_then_parameters_then_setup(lab, cells):
    assert cells[0].source.startswith(f"# {lab.stem[:2]} " if lab in LABS else "# ")
    assert "**Time:**" in cells[0].source
    first, second = code(cells)[:2]
    assert tags(first) == {"parameters"}
    assert f'srlab.setup("{lab.stem}", globals())' in second.source
    assert [cell for cell in cells if "parameters" in tags(cell)] == [first]


def declared(cells):
    """Name and default of each parameter."""
    statements = ast.parse(code(cells)[0].source).body
    return {statement.targets[0].id: ast.literal_eval(statement.value) for statement in statements}


def test_every_parameter_and_every_number_of_the_recipe_is_used(lab, cells):
    by_setup = {"recipe", "iters", "run", "images", "validation", "device", "precision", "compiled", "tricks"}
    by_setup |= {"photos", "center_crop", "start", "parameter_limit", "downsampler", "blur", "lr_noise", "jpeg"}
    names = declared(cells).keys() - by_setup
    shared = (ROOT / "srlab" / "lab" / "gan_plumbing.py").read_text(encoding="utf-8") if "gan" in lab.stem else ""
    rest = "\n".join([shared, *(cell.source for cell in code(cells)[1:]), *read_claims(lab.stem).values()])
    assert [name for name in names if not re.search(rf"\b{name}\b", rest)] == []
    numbers = read_book(ROOT / "notebooks" / "recipes" / f"{lab.stem}.yaml").meaning
    unused = [name for name in numbers.keys() - by_setup if not re.search(rf'\blab\.{name}\b|"{name}"', rest)]
    assert [name for name in unused if not name.startswith("min_gain_")] == []


def test_what_setup_chooses_is_taken_from_it(cells):
    """The parameter `run` may be left open, so no cell may take it as it is."""
    for cell in code(cells)[1:]:
        assert "run" not in {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}


def test_outputs_only_where_they_are_compared(cells):
    for cell in code(cells):
        kept = tags(cell) & KEPT
        assert kept in (set(), KEPT), f"both tags or none: {cell.source[:60]}"
        if kept:
            assert cell.outputs, f"run `make refresh`: {cell.source[:60]}"
            assert cell.execution_count
            assert all(output.output_type == "stream" and output.name == "stdout" for output in cell.outputs)
        else:
            assert not cell.outputs, f"run `make refresh`: {cell.source[:60]}"
            assert cell.execution_count is None


def test_no_output_that_comes_with_a_lab_answers_the_question_above_it(cells):
    for before, cell in itertools.pairwise(cells):
        if tags(cell) >= KEPT:
            asked = before.cell_type == "markdown" and re.search(r"\?\*$", before.source.strip())
            assert not asked, f"its output stands below the question already: {cell.source[:60]}"
            assert ".reveal(" not in cell.source, cell.source[:60]


def test_each_exercise_has_a_stub_and_a_check(cells):
    checks = [cell for cell in code(cells) if "srlab.check(" in cell.source]
    for cell in checks:
        stub = cells[cells.index(cell) - 1]
        name = re.fullmatch(r'(\w+) = srlab\.check\("\w+\.(\w+)", (\w+)\)', cell.source.strip())
        assert name, cell.source
        assert len(set(name.groups())) == 1
        assert "return srlab.TODO" in stub.source
        assert tags(cell) == tags(stub) == {"exercise"}


def test_claims_stand_in_files_of_their_own_after_cells_that_are_there(lab, cells):
    claims = read_claims(lab.stem)
    assert claims.keys() <= {cell.id for cell in code(cells)}
    assert all("lab.expect(" in block for block in claims.values())
    for cell in code(cells):
        assert "lab.expect(" not in cell.source, cell.source
        assert "assert" not in {type(node).__name__.lower() for node in ast.walk(ast.parse(cell.source))}, cell.source


def test_each_guess_is_held_against_its_outcome_further_down(cells):
    source = [cell.source for cell in code(cells)]
    for number, cell in enumerate(source):
        for name in re.findall(r"^(\w+) = srlab\.guess\(", cell, re.M):
            assert f"{name}.reveal(" in "\n".join(source[number + 1 :]), cell
    left_out = {}  # of the guesses so far, whether a run without exploring lacks them
    for cell in code(cells):
        for name in re.findall(r"(\w+)\.reveal\(", cell.source):
            assert not left_out[name] or "explore" in tags(cell), cell.source
        left_out |= dict.fromkeys(re.findall(r"^(\w+) = srlab\.guess\(", cell.source, re.M), "explore" in tags(cell))


def test_pictures_in_the_prose_have_a_text_for_those_who_do_not_see_them(cells):
    for cell in prose(cells):
        assert not re.search(r"!\[\s*\]|<img(?![^>]*\balt=[\"'][^\"'])", cell.source), cell.source


def test_no_output_widget(cells):
    """ipywidgets' output widget now and then makes a headless run wait for ever (nbclient 312)."""
    for cell in code(cells):
        assert not re.search(r"\binteract(ive)?\(|\bOutput\(", cell.source), cell.source


def test_an_exercise_says_how_long_it_takes_and_how_much_it_matters(cells):
    above, prose_before = [], ""
    for cell in cells:
        if cell.cell_type == "markdown":
            prose_before = cell.source
        elif "srlab.check(" in cell.source:
            above.append(prose_before)
    form = r"^\*\*Exercise (\d+)\.\*\* \*\d+ minutes, importance [1-5] of 5\.\*"
    found = [re.search(form, source, re.M) for source in above]
    assert [match and int(match[1]) for match in found] == list(range(1, len(above) + 1))


def test_nothing_is_trained_in_a_folded_cell(cells):
    for cell in cells:
        if "hide-input" in tags(cell):
            assert not re.search(r"\.fit\(|\.backward\(", cell.source), cell.source


def test_pictures_that_the_prose_shows_come_with_the_labs(lab, cells):
    for cell in prose(cells):
        for name in re.findall(r"!\[[^\]]+\]\((?!https?:)([^)]+)\)", cell.source):
            assert (lab.parent / name).is_file(), name


def test_never_three_folded_bars_in_a_row(cells):
    """A learner who has only bars before her reads a program that she can't see."""
    folded = ["1" if cell.metadata.get("jupyter", {}).get("source_hidden") else "0" for cell in cells]
    assert "111" not in "".join(folded)


def test_a_lab_ends_with_its_five_questions(lab, cells):
    """Still open, and before the learner is asked to explain the lab; the extras have none."""
    asked = [number for number, cell in enumerate(cells) if "quiz" in tags(cell) or "srlab.quiz(" in cell.source]
    if lab in EXTRAS:
        assert asked == []
        return
    (place,) = asked
    above, cell, below = cells[place - 1 : place + 2]
    assert (above.source, below.source) == ("## Five questions", "## Explain it to a friend")
    assert tags(cell) == {"quiz"}
    assert cell.source.splitlines()[1:] == [f'srlab.quiz("{lab.stem}", "?????")']
    assert count_right({"cells": [cell]}) == 0
