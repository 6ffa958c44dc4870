"""Test the package: it imports fast, its subpackages only import those below, and the example of its map runs."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

import srlab
import srlab_course as course
from tests.conftest import ROOT

# House -> its rooms in order: each only imports those before it. The course may import all of srlab.
ROOMS = {
    "srlab": "text errors shell paths files downloading tensor_files torch_files devices private_torch data models "
    "losses training tiling metadata upscale_files exporting evaluation slider cli",
    "srlab_course": "layout labs notebook_files papermill material figures feedback exercises workshops lab "
    "teaching cli",
}


def test_imports_are_fast_and_a_script_needs_no_course():
    slow = {"torchvision", "spandrel", "tensorboard", "jsonschema", "papermill"}
    late = {
        "import srlab_course, srlab.cli.main": {"torch"},
        "import srlab_course.teaching.grading": {"nbformat"},
        "import inspect, srlab_course.notebook_files.finding; inspect.getmodule(inspect.currentframe())": {
            "torch",
            "nbformat",
        },
        "import sys; sys.modules['IPython'] = None; from srlab import Trainer, evaluate, compare": {"srlab_course"},
    }
    for code, absent in late.items():
        script = f"{code}; import sys; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not (slow | absent) & set(done.stdout.split()), code


@pytest.mark.parametrize("package", [srlab, course])
def test_public_names_exist(package):
    assert {"Trainer", "compare", "models"} <= set(dir(srlab))
    for name in dir(package):
        assert getattr(package, name) is not None


def test_function_wins_over_its_module():
    importlib.import_module("srlab_course.lab.setup")
    assert callable(course.setup)


@pytest.mark.parametrize("house", ROOMS)
def test_imports_only_point_to_lower_layers(house):
    rooms, up = ROOMS[house].split(), []
    for file in (ROOT / house).rglob("*.py"):
        room = file.relative_to(ROOT / house).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if room in rooms else ():
            modules = []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == house:  # public names
                modules = [getattr(getattr(sys.modules[house], node.attr), "__module__", "")]
            above = [f"{house}.{other}." for other in rooms[rooms.index(room) + 1 :]]
            above += ["srlab_course."] if house == "srlab" else []
            up += [f"{file.name} imports {name}" for name in modules if f"{name}.".startswith(tuple(above))]
    there = {path.stem for path in (ROOT / house).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__", "__main__"} == set(rooms)
    assert up == []


def test_readme_training_example_runs(home, capsys):
    page = ROOT / "srlab" / "README.md"
    found = re.search(r"```python\n(.*?)```", text := page.read_text(encoding="utf-8"), re.DOTALL)
    # On the lines that it has in the page, because a run reads the source of its step there.
    code = "\n" * text[: found.start(1)].count("\n") + found[1]
    large, small = "num_blocks=4, num_features=32", "num_blocks=1, num_features=4"
    for long, short in (("iters = 1000", "iters = 2"), (large, small)):
        assert code.count(long) == 1
        code = code.replace(long, short)
    scope = {}
    exec(compile(code, str(page), "exec"), scope)
    assert (home / "playground" / "first" / "generator.safetensors").is_file()
    assert scope["trainer"].steps_done == 2
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("psnr", "ssim", *scope["unseen"].names))
