"""srlab solutions: a lab in which each stub has become an answer that a student could have written."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from srlab.course.cli.main import main
from srlab.course.exercise import find, names
from srlab.course.notebooks import read_notebook
from srlab.course.solutions import fill_in, open_exercises, solve
from tests.conftest import LABS, ROOT

NOTEBOOKS = ROOT / "notebooks"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with one lab, and a folder of the teacher beside it as the working directory."""
    (tmp_path / "notebooks" / "recipes").mkdir(parents=True)
    (tmp_path / "notebooks" / "recipes" / "03_srgan.yaml").touch()
    (tmp_path / "notebooks" / "03_srgan.ipynb").write_bytes((NOTEBOOKS / "03_srgan.ipynb").read_bytes())
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path


def test_the_solved_lab_is_written_among_the_runs_and_differs_in_its_stubs_alone(course, capsys, home):
    assert main(["solutions", "03"]) == 0
    name, _, rest = capsys.readouterr().out.partition(": ")
    before, after = nbformat.read(NOTEBOOKS / "03_srgan.ipynb", 4), nbformat.read(name, 4)
    assert Path(name).resolve() == home / "solutions" / "03_srgan.ipynb"
    assert not list(Path().iterdir())
    nbformat.validate(after)
    changed = [old for old, new in zip(before.cells, after.cells, strict=True) if old != new]
    assert all("return course.TODO" in cell.source for cell in changed)
    assert len(changed) == sum(name.startswith("srgan.") for name in names())
    assert rest == f"03_srgan with {len(changed)} exercises solved\n"
    assert "course.TODO" not in "".join(cell.source for cell in after.cells if cell.cell_type == "code")
    before = Path(name).read_bytes()
    assert main(["solutions", "03"]) == 2
    assert "03_srgan.ipynb exists already" in capsys.readouterr().err
    assert Path(name).read_bytes() == before


def test_an_answer_that_is_there_already_stays():
    notebook = read_notebook(NOTEBOOKS / "03_srgan.ipynb")
    stubs = [cell for cell in notebook.cells if "return course.TODO" in cell.source]
    stubs[0]["source"] = "def discriminator_loss(real, fake):\n    return real.mean()"
    assert fill_in(notebook) == len(stubs) - 1
    assert stubs[0]["source"].endswith("real.mean()")


def test_a_lab_without_stubs_is_named_with_what_to_do(course, capsys):
    (course / "notebooks" / "03_srgan.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    assert main(["solutions", "03"]) == 2
    assert "no untouched exercise; get the lab again" in capsys.readouterr().err


# --- The answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_an_answer_is_the_stub_with_a_body_and_needs_nothing_but_imports(lab):
    for cell, _, answer in open_exercises(read_notebook(lab)):
        (old,), (*others, new) = ast.parse(cell.source).body, ast.parse(answer).body
        assert ast.unparse(new).splitlines()[0] == ast.unparse(old).splitlines()[0]
        assert ast.get_docstring(new) == ast.get_docstring(old)
        assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in others)
        assert not re.search("reference|exercises|TODO", answer)


def test_comments_stay_and_only_what_is_needed_is_imported():
    stub = 'def f(generator, pairs):\n    """Score."""\n    return course.TODO'
    score = solve(stub, find("srresnet.validate").reference)
    head = "import torch\nfrom srlab.evaluation.metrics import psnr\n\n\ndef f(generator, pairs):"
    assert score.startswith(head)
    tiled = solve('def f(upscaler, lr, scale, tile, overlap):\n    """SR."""', find("tiles.upscale_tiled").reference)
    assert "            # Within" in tiled
