"""The package: importing it is cheap, and each public name is there."""

import subprocess
import sys
from pathlib import Path

import pytest

import srlab

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    *("torch", "torchvision", "torchmetrics", "numpy", "pandas", "matplotlib", "skimage", "scipy", "accelerate", "PIL"),
    *("pyvips", "IPython", "ipywidgets", "anywidget"),
)


@pytest.mark.parametrize("module", ["srlab", "srlab.cli.main"])
def test_importing_it_loads_nothing_heavy(module):
    script = f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "srlab" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("name", srlab.__all__)
def test_a_public_name_resolves(name):
    value = getattr(srlab, name)
    assert value is getattr(srlab, name)
    assert getattr(value, "__name__", name).rpartition(".")[2] in (name, type(value).__name__)


def test_a_name_is_defined_in_the_module_that_the_list_says():
    for name, module in srlab._NAMES.items():
        value = getattr(srlab, name)
        if hasattr(value, "__module__") and callable(value):
            assert value.__module__.startswith(f"srlab.{module}"), name


def test_every_module_is_listed_except_the_launcher_and_the_command_line():
    files = {file.stem for file in Path(srlab.__file__).parent.glob("*.py")} - {"__init__", "__main__", "papermill"}
    packages = {file.parent.name for file in Path(srlab.__file__).parent.glob("*/__init__.py")}
    assert set(srlab._MODULES) == files | packages


def test_an_unknown_name_is_an_attribute_error_and_completion_knows_the_others():
    with pytest.raises(AttributeError, match="no attribute 'unheard'"):
        _ = srlab.unheard
    assert dir(srlab) == srlab.__all__


def test_the_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert srlab.__version__ == version("srlab")
