"""What several test files share: the benchmark folder, one embedded photo, and scripts as modules."""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import torch

from srlab.course.saved import MARK
from srlab.training.runs import FORMAT, Run

ROOT = Path(__file__).resolve().parents[1]
# By their recipes, as a folder of notebooks may have copies, short labs and whatever somebody wrote beside them.
RECIPES = sorted((ROOT / "notebooks" / "recipes").glob("*.yaml"))
LABS = [ROOT / "notebooks" / f"{file.stem}.ipynb" for file in RECIPES if file.match("0[0-5]_*")]
EXTRAS = [lab for file in RECIPES if (lab := ROOT / "notebooks" / "extras" / f"{file.stem}.ipynb").is_file()]

# A shell that starts the tests in the background lets all of them ignore Ctrl-C, which some are about.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long tests begin first; the others keep their order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def load_script(path: Path) -> ModuleType:
    """Import a script that lies in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """No test writes into the runs of whoever runs it."""
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    return tmp_path / "runs"


def leave_run(lab: str, name: str, step: int, status: str = "finished", **parameters) -> Run:
    """Leave a run that nobody has trained."""
    run = Run(lab, name)
    facts = {"format": FORMAT, "lab": lab, "name": name, "parameters": parameters, "wall_time_s": 0.0}
    run.write_manifest(facts | {"step": step, "status": status})
    return run


def left(exercise: str, result: str) -> nbformat.NotebookNode:
    """What a check leaves in a notebook that is saved."""
    return nbformat.v4.new_output("display_data", {"text/html": MARK.format(exercise, result)})


@pytest.fixture
def displayed(monkeypatch) -> list[nbformat.NotebookNode]:
    """What was displayed since, as in a notebook."""
    shown = []
    monkeypatch.setattr("IPython.get_ipython", object)
    replace_display(monkeypatch, lambda data, raw: shown.append(nbformat.v4.new_output("display_data", data)))
    return shown


def replace_display(monkeypatch, display):
    """Replace IPython's display, also where a module of srlab has imported it."""
    monkeypatch.setattr("IPython.display.display", display)
    for name, module in list(sys.modules.items()):
        if name.startswith("srlab.") and "display" in vars(module):
            monkeypatch.setattr(module, "display", display)


@pytest.fixture(scope="session")
def benchmark_dir() -> Path:
    """The folder with Set5/HR and Set14/HR, which cannot be part of the repository (see its licenses)."""
    folder = Path(os.environ.get("SRLAB_TEST_DATA") or ROOT.parent / "shared" / "data")
    missing = [name for name in ("Set5/HR", "Set14/HR") if not (folder / name).is_dir()]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)} in {folder}; set SRLAB_TEST_DATA to a folder that has them")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> torch.Tensor:
    """The photo of scikit-image as a batch (1, 3, 512, 512); never changed in place."""
    from skimage import data

    return torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """An empty cache of torch, as on a machine that never had weights; the folder in which they would lie."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def no_download(monkeypatch) -> None:
    """Whatever tries a download fails."""

    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("pooch.retrieve", refuse)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
