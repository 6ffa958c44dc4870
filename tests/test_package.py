"""The package: importing it is cheap, each public name is there, and imports between its rooms point down."""

import ast
import subprocess
import sys
from importlib.metadata import version

import pytest

import srlab
from tests.conftest import ROOT

HEAVY = {"torch", "torchvision", "torchmetrics", "numpy", "pandas", "matplotlib", "skimage", "scipy", "accelerate"}
HEAVY |= {"PIL", "pyvips", "IPython", "ipywidgets", "anywidget"}
FLOORS = ("base", "data models", "losses training inference", "exercises", "evaluation", "view", "cli")


@pytest.mark.parametrize("module", ["srlab", "srlab.cli.main"])
def test_importing_it_loads_nothing_heavy(module):
    script = f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "srlab" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", dir(srlab))
def test_a_public_name_is_there(name):
    assert getattr(srlab, name) is getattr(srlab, name)


def test_an_unknown_name_is_an_attribute_error_and_completion_knows_the_others():
    with pytest.raises(AttributeError, match="unheard"):
        _ = srlab.unheard
    assert {"setup", "Trainer", "compare", "models"} <= set(dir(srlab))


def test_the_version_is_that_of_the_installed_package():
    assert srlab.__version__ == version("srlab")


def test_imports_point_down():
    """A room knows those of lower floors, and of its own floor what stands to its left (losses look at models)."""
    order = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
    files = [file for file in (ROOT / "srlab").rglob("*.py") if file.name not in ("__init__.py", "__main__.py")]
    up = []
    for file in files:
        room = file.relative_to(ROOT / "srlab").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("srlab"):
                parts = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                up += [f"{file.name} imports {part}" for part in parts if part != room and order[part] >= order[room]]
    assert {
        room for room in order if (ROOT / "srlab" / room).is_dir() or (ROOT / "srlab" / f"{room}.py").is_file()
    } == set(order)
    assert up == []
