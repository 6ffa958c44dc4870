"""Test srlab solutions: a lab in which each stub is replaced by an answer that a student could write."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from srlab.cli.main import main
from srlab.errors import SrlabError
from srlab_course.feedback.all_exercises import find, names
from srlab_course.notebooks.validated import read_notebook
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
    assert main(["solutions", "03"]) == 2
    assert "already exists" in capsys.readouterr().err
    Path(name).write_text("old")
    assert main(["solutions", "03", "--force"]) == 0
    assert nbformat.read(name, 4) == after


def test_student_answer_is_kept():
    notebook = read_notebook(NOTEBOOKS / "03_srgan.ipynb")
    stubs = [cell for cell in notebook.cells if "return course.TODO" in cell.source]
    stubs[0]["source"] = "def discriminator_loss(real, fake):\n    return real.mean()"
    assert fill_in(notebook) == len(stubs) - 1
    assert stubs[0]["source"].endswith("real.mean()")


def test_cells_between_stub_and_check_do_not_matter():
    notebook = read_notebook(NOTEBOOKS / "03_srgan.ipynb")
    stubs = [place for place, cell in enumerate(notebook.cells) if "return course.TODO" in cell.source]
    notebook.cells.insert(stubs[0] + 1, nbformat.v4.new_code_cell("real = 1  # mine"))
    assert fill_in(notebook) == len(stubs)
    assert "TODO" not in "".join(cell.source for cell in notebook.cells)


def test_stub_gets_only_its_own_answer():
    notebook = read_notebook(NOTEBOOKS / "03_srgan.ipynb")
    stubs = [place for place, cell in enumerate(notebook.cells) if "return course.TODO" in cell.source]
    del notebook.cells[stubs[0] + 1]  # its check
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("`return course.TODO` is a stub"))
    assert fill_in(notebook) == len(stubs) - 1
    assert "return course.TODO" in notebook.cells[stubs[0] + 1].source


def test_lab_without_stubs_is_rejected(capsys, tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "notebooks" / "recipes" / "03_srgan.yaml").touch()
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "notebooks" / "03_srgan.ipynb")
    monkeypatch.chdir(tmp_path)
    assert main(["solutions", "03"]) == 2
    assert "no untouched exercise" in capsys.readouterr().err


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
    stub = 'def f(generator, pairs):\n    """Score."""\n    return course.TODO'
    score = solve(stub, find("srresnet.validate").reference)
    head = "import torch\nfrom srlab.evaluation.metrics import psnr\n\n\ndef f(generator, pairs):"
    assert score.startswith(head)
    with pytest.raises(SrlabError, match="was changed"):
        solve("def f(generator, pairs): return course.TODO", find("srresnet.validate").reference)
    without = solve("def f(generator, pairs):\n    return course.TODO", find("srresnet.validate").reference)
    assert without == score.replace('    """Score."""\n', "")
    tiled = solve('def f(upscaler, lr, scale, tile, overlap):\n    """SR."""', find("shipping.upscale_tiled").reference)
    assert "            # Within" in tiled
