"""Test the notebooks of the workshops: their form, and their cells as handed out and with the reference file."""

import re

import nbformat
import papermill
import pytest

from srlab_course.workshops.our_tests import PARTS
from srlab_course.workshops.runner import folder
from tests.conftest import LABS, ROOT
from tests.workshops.files import TESTS, joined

NOTEBOOKS = sorted((ROOT / "notebooks" / "workshops").glob("[0-9]_*.ipynb"))
SHORT = {1: {"iters": 12}, 2: {"iters": 30, "subject": "gravel"}, 3: {"iters": 60, "subject": "gravel"}}


def tags(cell):
    return cell.metadata.get("tags", [])


def executed(notebook, mine, folder, **parameters):
    """Execute a notebook for a student's file, and return all that it printed, in one line."""
    output = folder / "out.ipynb"
    papermill.execute_notebook(
        str(notebook), str(output), {"mine": str(mine)} | parameters, kernel_name="python3", progress_bar=False
    )
    cells = nbformat.read(output, 4).cells
    text = " ".join(part.get("text", "") for cell in cells for part in cell.get("outputs", []))
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_form(file):
    notebook = nbformat.read(file, 4)
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not any(cell.outputs or cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    colab = [[cell for cell in nbformat.read(one, 4).cells if "colab" in tags(cell)] for one in (file, LABS[1])]
    assert colab[0][0].source == colab[1][0].source
    minutes = [int(number) for cell in notebook.cells for number in re.findall(r"^\*(\d+) minutes", cell.source, re.M)]
    assert 120 <= sum(minutes) <= 150
    assert re.search(rf"\*\*Time:\*\* (about )?{sum(minutes)} minutes", notebook.cells[0].source)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_part_is_checked_where_it_is_specified(number):
    text = "\n".join(cell.source for cell in nbformat.read(NOTEBOOKS[number - 1], 4).cells)
    checked = re.findall(r'^workshops\.check\(mine, "(.*?)"\)', text, re.MULTILINE)
    assert tuple(checked) == PARTS[TESTS[number - 1]]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_notebook_as_handed_out(number, tmp_path):
    printed = executed(NOTEBOOKS[number - 1], tmp_path / "mine.py", tmp_path)
    assert printed.count("to do ") >= len(PARTS[TESTS[number - 1]])
    assert "failed" not in printed


@pytest.mark.nightly
@pytest.mark.parametrize("number", SHORT)
def test_notebook_with_reference(number, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(joined(3), encoding="utf-8")
    tests = folder() / TESTS[number - 1]
    printed = executed(NOTEBOOKS[number - 1], mine, tmp_path, tests=str(tests), **SHORT[number])
    ends = {1: "The network beats bicubic", 2: "The images are sharper", 3: "samples differ"}
    before, end, _ = printed.partition(ends[number])
    assert end
    assert "to do" not in before
    assert "failed" not in before.removesuffix("failed ").removesuffix("failed The 8 ")
