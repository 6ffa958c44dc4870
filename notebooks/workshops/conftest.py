"""What all tests of the workshops share: your file, and a clean start for each test.

python -m pytest test_1_network.py --mine my_file.py -k test_psnr
"""

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

SEED = 8191  # unlikely in a file, so that seeding in it changes the state of the random numbers
FILE = Path(__file__).with_name("mine.py")


def pytest_addoption(parser):
    option = {"metavar": "FILE", "type": Path, "default": FILE}
    parser.addoption("--mine", **option, help="your file (default: mine.py next to the tests)")


def pytest_configure(config):
    """Let `from mine import ...`, as in your own tests, import the file of --mine."""
    file = config.getoption("--mine")
    if isinstance(file, Path):
        file = config.option.mine = file.resolve()  # before a test changes the folder
        if file != FILE.resolve() and not file.is_file():
            raise pytest.UsageError(f"{file} not found. Pass your file: --mine FILE")
    sys.modules.pop("mine", None)
    finder = SimpleNamespace(find_spec=lambda name, *_: spec_of(file) if name == "mine" else None)
    sys.meta_path.insert(0, finder)
    config.add_cleanup(lambda: sys.meta_path.remove(finder))


def spec_of(file):
    return importlib.util.spec_from_file_location("mine", file)


def load(file):
    """Execute a file as it is saved now, and return it as a module."""
    module = ModuleType("mine")
    module.__file__ = str(file)
    sys.modules["mine"] = module
    exec(compile(file.read_bytes(), file, "exec"), module.__dict__)  # noqa: S102
    module.__getattr__ = not_written_yet
    return module


def not_written_yet(name):
    """Skip a test that uses a name that your file doesn't define."""
    if name.startswith("__"):
        raise AttributeError(name)
    pytest.skip(f"`{name}` is not written yet")


@pytest.fixture(autouse=True)
def clean_start(tmp_path, monkeypatch):
    """Start each test with the same random numbers, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    torch.manual_seed(SEED)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    print(f"seed: {SEED}")


@pytest.fixture
def mine(request):
    """Your file, as a module."""
    file = request.config.getoption("--mine")
    if isinstance(file, ModuleType):  # of a lab that climbs the ladder
        file.__getattr__ = not_written_yet
        return file
    if not file.is_file():
        pytest.skip("mine.py not found. Create it, or pass your file: --mine FILE")
    return load(file)


@pytest.fixture
def mine_again(mine):
    """Your file, executed a second time, as a new process would."""
    return load(Path(mine.__file__))
