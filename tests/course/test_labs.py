"""Test the list of the labs against the files and pages that it is declared for."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from srlab.models.loading import BUNDLED, ONE_STEP
from srlab_course.labs import LABS, METHODS
from srlab_course.notebook_files.finding import find_notebooks, read_saved
from tests.conftest import ROOT

NAMES = [lab.name for lab in LABS]
NOTEBOOKS = ROOT / "notebooks"
FILES = ("{}.ipynb", "recipes/{}.py", "claims/{}.py", "pictures/{}.jpg")
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_lab_has_its_files_and_waits_for_labs_that_it_can_use(lab):
    files = [NOTEBOOKS / file.format(lab.name) for file in FILES]
    files += [ROOT / "srlab_course" / "feedback" / "quizzes" / f"{lab.name}.yaml"]
    assert [file for file in files if not file.is_file()] == []
    before = NAMES[: NAMES.index(lab.name)]
    assert set(lab.after) <= set(NAMES if lab.name == "05_evaluation" else before)
    if lab.name == "05_evaluation":  # it compares all methods
        assert {one.name for one in LABS if one.methods} <= set(lab.after)


def test_labs_in_the_folder_are_declared_in_order(monkeypatch):
    monkeypatch.chdir(ROOT)
    mine = {file.name for file in (ROOT / "docs" / "own_lab").glob("*.ipynb")}
    assert [lab.stem for lab in find_notebooks() if lab.parent == NOTEBOOKS and lab.name not in mine] == NAMES


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_declared_weights_are_those_that_the_code_loads(lab):
    cells = [cell.source for cell in read_saved(NOTEBOOKS / f"{lab.name}.ipynb").cells if cell.cell_type == "code"]
    code = "\n".join(cells) + (NOTEBOOKS / "recipes" / f"{lab.name}.py").read_text(encoding="utf-8")
    loaded = {BUNDLED[label] for label in re.findall(r'load_bundled\(\)\["(\w+)"\]', code)}
    folder = ROOT / "srlab" / "models" / "bundled"
    for_losses = {file.stem for file in folder.glob("*.safetensors")} - {*BUNDLED.values(), ONE_STEP}
    loaded |= {name for name in for_losses if re.search(rf"\b{name}\b", code)}
    assert loaded <= set(lab.weights)
    assert all((folder / f"{name}.safetensors").is_file() for name in lab.weights)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_lab_waits_for_the_runs_that_its_cells_name(lab):
    code = "".join(cell.source for cell in read_saved(NOTEBOOKS / f"{lab.name}.ipynb").cells)
    assert set(re.findall(r'(?:run_like|from_earlier_lab)\(\s*lab, "(\w+)"', code)) <= set(lab.after)


def test_labels_are_unique():
    assert len(METHODS) == sum(len(lab.methods) for lab in LABS)


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_executes_each_lab_after_those_that_it_uses():
    here = ("make", "--dry-run", "every-lab", f"BIN={Path(sys.executable).parent}")
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(here, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    order = re.findall(r"srlab execute (\w+)", done.stdout)
    assert set(NAMES) <= set(order)
    for lab in LABS:
        assert all(order.index(earlier) < order.index(lab.name) for earlier in lab.after)


@pytest.mark.parametrize(
    ("page", "entry"),
    [
        ("README.md", r"\| \[Lab \d+: .*?\]\(notebooks/(\w+)\.ipynb\)"),
        ("docs/map.md", r"## \[\d+ .*?notebooks/(\w+)\.ipynb\)"),
    ],
)
def test_pages_list_all_labs_in_order(page, entry):
    assert re.findall(rf"^{entry}", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE) == NAMES


@pytest.mark.parametrize("page", ["README.md", "docs/CHANGELOG.md"])
def test_pages_have_the_number_of_labs(page):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").lower().split())
    found = re.findall(r"(\w+)\s+(?:pytorch notebooks called )?labs\b", text)
    assert set(found) & set(NUMBERS) == {NUMBERS[len(NAMES)]}
