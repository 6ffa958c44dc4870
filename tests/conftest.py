"""Provide what several test files share, such as the benchmark folder, runs without training, and files as bytes."""

import gc
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import psutil
import pytest
import torch

from srlab.training.manifests import FORMAT
from srlab.training.runs import Run
from srlab_course import labs
from srlab_course.notebook_files.marks import MARK

ROOT = Path(__file__).resolve().parents[1]
# Found by their recipes, because the folder of notebooks may also have copies, short labs and other files.
RECIPES = sorted((ROOT / "notebooks" / "recipes").glob("*.py"))
LABS = [ROOT / "notebooks" / f"{lab.name}.ipynb" for lab in labs.LABS]
EXTRAS = [lab for file in RECIPES if (lab := ROOT / "notebooks" / "extras" / f"{file.stem}.ipynb").is_file()]

# A shell that starts the tests in the background makes them ignore Ctrl-C, which some tests need.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Imports and the collection of thousands of tests make many objects that stay, among which garbage is rarely found.
gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Let ``-n logical`` start at most four workers of one thread, because tests spend much time outside of torch.

    The order stays that of this file, because the labs are long; xdist would start with the largest group.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    config.option.loadscopereorder = False
    return min(psutil.cpu_count() or 1, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the long tests first; keep the order of the others."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def load_script(path: Path) -> ModuleType:
    """Import a script that is not in a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Redirect runs to a temporary folder, so that no test writes into your runs."""
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    return tmp_path / "runs"


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the content of each file by its path in the folder, except for locks."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(".lock"))
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def make_link(link: Path, target: Path) -> None:
    """Make a symbolic link, or skip the rest of the test: Windows allows it only to administrators and developers."""
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("links are not allowed here")


def leave_run(lab: str, name: str, step: int, status: str = "finished", **parameters) -> Run:
    """Write the manifest of a run without training it."""
    run = Run(lab, name)
    images = {"images": {"name": "photos", "count": 1, "fingerprint": "0"}, "degradation": {}}
    made = {"generator": {"network": ""}} | parameters | {"sampler": images | parameters.get("sampler", {})}
    facts = {"format": FORMAT, "lab": lab, "name": name, "parameters": made, "wall_time_s": 0.0, "continued": []}
    facts |= {"schedule_total": step, "started": "", "precision": "fp32", "code_of_step": "", "metrics": {}}
    run.write_manifest(facts | {"step": step, "status": status, "failure": ""})
    return run


def left(exercise: str, result: str, hints: str = "") -> nbformat.NotebookNode:
    """Return the output that a check saves in a notebook."""
    return nbformat.v4.new_output("display_data", {"text/html": MARK.format(exercise, result, hints)})


@pytest.fixture
def displayed(monkeypatch) -> list[nbformat.NotebookNode]:
    """Collect everything displayed, as in a notebook."""
    shown = []
    monkeypatch.setattr("IPython.get_ipython", object)
    replace_display(monkeypatch, lambda data, raw: shown.append(nbformat.v4.new_output("display_data", data)))
    return shown


def replace_display(monkeypatch, display):
    """Replace IPython's display, also in modules of srlab that have imported it."""
    monkeypatch.setattr("IPython.display.display", display)
    for name, module in list(sys.modules.items()):
        if name.startswith(("srlab.", "srlab_course.")) and "display" in vars(module):
            monkeypatch.setattr(module, "display", display)


@pytest.fixture(scope="session")
def benchmark_dir() -> Path:
    """Return the folder with Set5/HR and Set14/HR, which the repository cannot include because of their licenses."""
    folder = Path(os.environ.get("SRLAB_TEST_DATA") or ROOT.parent / "shared" / "data")
    missing = [name for name in ("Set5/HR", "Set14/HR") if not (folder / name).is_dir()]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)} in {folder}; set SRLAB_TEST_DATA to a folder with them")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> torch.Tensor:
    """Return scikit-image's photo as a batch (1, 3, 512, 512), never to be changed in place."""
    from skimage import data

    return torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """Set up an empty torch cache, as on a new machine, and return its folder for weights."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def no_download(monkeypatch) -> None:
    """Make every download fail."""

    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("srlab.downloading.requests.get", refuse)
