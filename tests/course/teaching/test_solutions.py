"""Test srlab solutions: a lab in which each stub is replaced by an answer that a student could write."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from srlab.cli.main import main
from srlab.errors import SrlabError
from srlab_course.feedback.all_exercises import find, names
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.teaching.solutions import fill_in, open_exercises, solve
from tests.conftest import LABS, ROOT

NOTEBOOKS = ROOT / "notebooks"


def test_solved_lab_differs_only_in_stubs(capsys, home, monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    assert main(["solutions", "03"]) == 0
    said = capsys.readouterr().out
    name = said.partition(": ")[0]
    assert Path(name).resolve() == home / "solutions" / "03_srgan.ipynb"
    before, after = nbformat.read(NOTEBOOKS / "03_srgan.ipynb", 4), nbformat.read(name, 4)
    nbformat.validate(after)
    changed = [pair for pair in zip(before.cells, after.cells, strict=True) if pair[0] != pair[1]]
    assert ["course.TODO" in cell.source for pair in changed for cell in pair] == [True, False] * len(changed)
    count = sum(name.startswith("srgan.") for name in names())
    assert len(changed) == count
    assert f"{count} of {count} exercises" in said
    Path(name).write_text("old", encoding="utf-8")
    assert main(["solutions", "03"]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["solutions", "03", "--force"]) == 0
    assert nbformat.read(name, 4) == after
    assert main(["solutions", "frequencies"]) == 2
    assert "frequencies has no untouched exercise" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda cells, stub, mine: cells.insert(stub + 1, nbformat.v4.new_code_cell("real = 1  # not the check")), 0),
        (lambda cells, stub, mine: cells[stub].update(source=mine), 1),
        (lambda cells, stub, mine: cells.insert(stub + 1, nbformat.v4.new_code_cell(mine)), 1),
        (lambda cells, stub, mine: cells.pop(stub + 1), 1),  # its check
    ],
)
def test_only_stubs_without_an_answer_are_solved(change, kept):
    notebook = read_notebook(NOTEBOOKS / "03_srgan.ipynb")
    first, *others = (place for place, cell in enumerate(notebook.cells) if "return course.TODO" in cell.source)
    change(notebook.cells, first, f"{notebook.cells[first].source.partition('(')[0]}(*inputs):\n    return 0")
    before = notebook.cells[first].source
    assert fill_in(notebook) == len(others) + (not kept)
    assert (notebook.cells[first].source == before) == bool(kept)
    assert "TODO" not in "".join(cell.source for cell in notebook.cells[first + 1 :])


# --- The answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_solution_is_stub_with_body_and_imports(lab):
    for cell, _, answer in open_exercises(read_notebook(lab)):
        (old,), (*others, new) = ast.parse(cell.source).body, ast.parse(answer).body
        assert ast.unparse(new).splitlines()[0] == ast.unparse(old).splitlines()[0]
        assert ast.get_docstring(new) == ast.get_docstring(old)
        assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in others)
        assert not re.search("reference|exercises|TODO", answer)


def test_solution_keeps_comments_and_needed_imports():
    reference = find("srresnet.validate").reference
    score = solve('def f(generator, pairs):\n    """Score."""\n    return course.TODO', reference)
    assert score.startswith("import torch\nfrom srlab.evaluation.metrics import psnr\n\n\ndef f(generator, pairs):")
    without = solve("def f(generator, pairs):\n    return course.TODO", reference)
    assert without == score.replace('    """Score."""\n', "")
    with pytest.raises(SrlabError, match="was changed"):
        solve("def f(generator, pairs): return course.TODO", reference)
    tiled = solve('def f(upscaler, lr, scale, tile, overlap):\n    """SR."""', find("shipping.upscale_tiled").reference)
    assert "            # Within" in tiled
