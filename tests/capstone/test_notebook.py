"""Test the capstone's notebook: its form, and its cells as handed out and with the reference solution."""

import re

import nbformat
import papermill
import pytest

from srlab.course import capstone
from tests.conftest import LABS, ROOT

from .conftest import BLOCKS

NOTEBOOK = ROOT / "notebooks" / "capstone.ipynb"
STEPS = {"short": (60, 20), "full": (1200, 120)}  # of both training runs
SMALLER = ("num_blocks=4, features=32", "num_blocks=1, features=16")


def tags(cell):
    return cell.metadata.get("tags", [])


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, 4)


def test_form(notebook):
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not any(cell.outputs or cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    colab = [[cell for cell in nbformat.read(file, 4).cells if "colab" in tags(cell)] for file in (NOTEBOOK, LABS[1])]
    assert colab[0][0].source == colab[1][0].source
    for cell in notebook.cells:
        if "answer" in tags(cell):
            assert re.fullmatch(r"# Your code replaces this line\.\n(\w+ = )+course\.TODO", cell.source), cell.source


def test_each_check_is_in_the_notebook(notebook):
    used = re.findall(r"^capstone\.(\w+)\(", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
    assert sorted(used) == sorted(name for name in dir(capstone) if name.startswith("check_"))


def test_minutes_of_sections_fill_two_evenings(notebook):
    minutes = [int(found[1]) for cell in notebook.cells if (found := re.match(r"\*(\d+) minutes\.\*", cell.source))]
    assert (sum(minutes[:5]), sum(minutes[5:])) == (150, 150)


def execute(notebook, folder, monkeypatch):
    """Execute a notebook, and return the words of the lines that each check printed."""
    monkeypatch.setenv("SRLAB_DATA", str(folder / "data"))
    nbformat.write(notebook, folder / "in.ipynb")
    done = papermill.execute_notebook(
        str(folder / "in.ipynb"), str(folder / "out.ipynb"), cwd=folder, kernel_name="python3", progress_bar=False
    )
    words = {}
    for cell in done.cells:
        if cell.cell_type == "code" and cell.source.startswith("capstone."):
            text = "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")
            words[cell.source.split("(")[0].removeprefix("capstone.")] = re.findall(
                r"^ {2}(\S.{7})", text, re.MULTILINE
            )
    return {name: [word.strip() for word in found] for name, found in words.items()}


def test_notebook_runs_as_handed_out(notebook, tmp_path, monkeypatch):
    words = execute(notebook, tmp_path, monkeypatch)
    assert len(words) == 10
    assert {word for found in words.values() for word in found} == {"to do"}


@pytest.mark.parametrize("size", ["short", pytest.param("full", marks=pytest.mark.nightly)])
def test_reference_solution_keeps_all_promises(size, notebook, tmp_path, monkeypatch):
    iters, gan_iters = STEPS[size]
    answers = BLOCKS | {
        "photos": f"{BLOCKS['photos']}\ntrain_photos, held_out = load_photos(folder)",
        "generator": BLOCKS["generator"].replace(*SMALLER) if size == "short" else BLOCKS["generator"],
        "beat bicubic": f'network, losses = train(train_photos, {iters}, seed=0, checkpoint="checkpoint.pt")',
        "train the gan": f"{BLOCKS['train the gan']}\n"
        f"gan_network = train_gan(train_photos, network, {gan_iters}, seed=0)",
    }
    section = ""
    for cell in notebook.cells:
        if cell.source.startswith("## "):
            section = re.match(r"## \d+\. (?:The )?(.*)", cell.source)[1].lower()
        if "answer" in tags(cell):
            cell.source = answers.pop(section)
    assert answers == {}
    words = execute(notebook, tmp_path, monkeypatch)
    if size == "short":
        words.pop("check_sharpness")  # needs more steps
    assert {word for found in words.values() for word in found} == {"kept"}, words
