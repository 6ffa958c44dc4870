"""srlab/README.md: the map has each module once and tells the truth about the labs, and its code runs."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

import srlab

ROOT = Path(__file__).resolve().parents[1]
MAP = (ROOT / "srlab" / "README.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row.split("|")[2:5]] for row in MAP.splitlines() if re.match(r"\|.*`.*\|", row)]
FIRST = {name: lab for names, _, lab in ROWS for name in re.findall(r"`(\w+)`", names)}


def named_in(lab):
    """Modules of srlab that the code of a lab names, or from which it takes a public name."""
    cells = nbformat.read(lab, 4).cells
    names = set()
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))):
        if isinstance(node, ast.ImportFrom) and node.module == "srlab":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("srlab."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "srlab":
            names.add(node.attr)
    return {srlab._NAMES.get(name, name).partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def first():
    """Module -> number of the first lab that names it."""
    labs = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    return {name: lab.name[:2] for lab in reversed(labs) for name in named_in(lab)}


def test_every_module_stands_in_the_map_once_and_no_other():
    names = [name for names, _, _ in ROWS for name in re.findall(r"`(\w+)`", names)]
    files = [file for pattern in ("*.py", "*/__init__.py") for file in (ROOT / "srlab").glob(pattern)]
    modules = {file.parent.name if file.stem == "__init__" else file.stem for file in files} - {"srlab"}
    assert sorted(names) == sorted(modules)


def test_each_row_says_what_one_finds_there_and_the_map_is_a_page():
    assert [names for names, words, _ in ROWS if len(words) < 15] == []
    assert len(MAP.splitlines()) <= 90


@pytest.mark.parametrize("name", FIRST)
def test_the_map_says_which_lab_names_a_module_first(first, name):
    if FIRST[name].isdigit():
        assert first.get(name) == FIRST[name]
    else:  # another module needs it in an earlier lab, or no lab does
        assert first.get(name, "99") > FIRST[name].strip("()–")
        assert name not in first or FIRST[name] != "–", f"lab {first[name]} uses it"


def test_the_training_of_the_map_runs_and_prints_scores(home, capsys):
    code = re.search(r"```python\n(.*?)```", MAP, re.DOTALL)[1]
    for long, short in (("iters = 1000", "iters = 2"), ("blocks=4, features=32", "blocks=1, features=4")):
        assert code.count(long) == 1
        code = code.replace(long, short)
    scope = {}
    exec(compile(code, "srlab/README.md", "exec"), scope)
    assert (home / "playground" / "first" / "generator.safetensors").is_file()
    assert scope["trainer"].step == 2
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("psnr", "ssim", *scope["unseen"].names))
