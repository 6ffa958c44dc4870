"""Run a student's tests for each of several designs, in a process of its own.

So a loop without an end can be stopped, and nothing that a design changes reaches the notebook.
"""

import contextlib
import faulthandler
import io
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest
import torch

from srlab.errors import SrlabError

MODULE = "mine"  # what the tests import
SEED = 8191  # unlikely in a design, so that seeding in it changes the state of the random numbers
LIMIT = 20.0  # seconds of computing for the tests of one design


@dataclass(frozen=True)
class Outcome:
    """What happened when tests ran for a design.

    Attributes
    ----------
    ran
        Names of the tests that ran.
    failed
        Test -> line of the test file where it failed, with the message; in order.
    left_out
        Names of the tests of other functions.
    broken
        Why the file could not be imported, or nothing.
    """

    ran: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    broken: str = ""


STOPPED = Outcome(["a test"], {"a test": "it never ended, or it stopped Python"})


class Observer:
    """A plugin for pytest that runs only the tests of one function, and writes down their outcome."""

    def __init__(self, function: str) -> None:
        self.function, self.outcome = function, Outcome()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests, or the tests of a class, whose name contains that of the function."""
        wanted = self.function.replace("_", "")
        chosen = [item for item in items if wanted in _name(item).replace("_", "").lower()]
        left_out = [_name(item) for item in items if item not in chosen]
        self.outcome = replace(self.outcome, ran=[_name(item) for item in chosen], left_out=left_out)
        items[:] = chosen

    def pytest_runtest_setup(self) -> None:
        """Begin each test with the same random and global states, whatever the tests before it did."""
        random.seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002 - a student may use it
        torch.manual_seed(SEED)
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)

    def pytest_exception_interact(self, node: pytest.Item, call: pytest.CallInfo, report: pytest.TestReport) -> None:
        """Note why the file can't be imported, or at which of its lines a test failed, and the message."""
        if not isinstance(node, pytest.Item):
            self.outcome = Outcome(broken=repr(call.excinfo.value.__cause__ or call.excinfo.value))
            return
        inside = [entry for entry in call.excinfo.traceback if entry.path == node.path]
        place = [f"line {entry.lineno + 1}, `{' '.join(str(entry.statement).split())}`" for entry in inside[-1:]]
        message = [line[1:].strip() for line in report.longreprtext.splitlines() if line.startswith("E ")][:1]
        self.outcome.failed.setdefault(_name(node), ": ".join(place + message))


def _name(item: pytest.Item) -> str:
    """Return the name of a test without its file: ``TestOrder::test_first``."""
    return item.nodeid.partition("::")[2]


def observe(tests: Path, function: str, source: str) -> Outcome:
    """Run the tests for the source of one design."""
    module, observer = ModuleType(MODULE), Observer(function)
    module.__file__ = f"{MODULE}.py"
    options = ["-c", os.devnull, f"--rootdir={tests.parent}", "--disable-plugin-autoload", str(tests)]
    without = "cacheprovider", "terminal", "faulthandler", "unraisableexception"  # the last collects garbage ten times
    options += [f"-pno:{plugin}" for plugin in without]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            exec(compile(source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - a design, or a student's file
        except Exception as error:
            return Outcome(broken=repr(error))
        sys.modules[MODULE] = module
        sys.modules.pop(tests.stem, None)
        with patch.dict(os.environ):
            for own in [name for name in os.environ if name.startswith("PYTEST_")]:  # options for another project
                del os.environ[own]
            end = pytest.main(options, [observer])
    if end == pytest.ExitCode.INTERRUPTED and not observer.outcome.broken:  # pytest keeps the exception
        raise KeyboardInterrupt
    return observer.outcome


def outcomes_of(tests: Path, function: str, sources: Mapping[str, str], limit: float = LIMIT) -> dict[str, Outcome]:
    """Return the outcome of the tests for each design, by its name.

    Tests that compute for more than `limit` seconds count as failed, and the designs that follow get a new process.
    """
    seen: dict[str, Outcome] = {}
    while left := {name: source for name, source in sources.items() if name not in seen}:
        done = subprocess.run(
            [sys.executable, "-B", "-m", __name__],
            input=json.dumps([str(tests.resolve()), function, [*left.values()], limit]),
            env=os.environ | {"PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        ready, *lines = done.stdout.splitlines() or [""]
        if not ready:
            raise SrlabError(f"The tests could not be started: {done.stderr.strip()[-300:]}")
        outcomes = [Outcome(**json.loads(line)) for line in lines]
        seen |= zip(left, [*outcomes, STOPPED], strict=False)
    return seen


def main() -> None:
    """Print "ready", and then the outcome of the tests in stdin for each source, a line of JSON."""
    tests, function, sources, limit = json.load(sys.stdin)
    torch.set_num_threads(1)
    print("ready", flush=True)
    for source in sources:
        with computing_at_most(limit):
            outcome = observe(Path(tests), function, source)
        print(json.dumps(asdict(outcome)), flush=True)


@contextlib.contextmanager
def computing_at_most(limit: float) -> Iterator[None]:
    """End this process once the block has computed for `limit` seconds, which take longer on a busy machine."""
    over, end = threading.Event(), time.process_time() + limit

    def watch() -> None:
        while not over.wait(0.1):
            if time.process_time() > end:
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    faulthandler.dump_traceback_later(10 * limit, exit=True)  # if it waits for something instead
    try:
        yield
    finally:
        over.set()


if __name__ == "__main__":
    main()
