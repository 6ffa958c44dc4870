"""Run a student's tests for each of several designs: ``python -m srlab_course.workshops.design_runner``.

It reads one JSON document from stdin, with the ``tests`` (a path), the ``function`` that they are about and the
``sources`` of the designs by name. It writes a line "ready", and then the `Outcome` of each design, a line of JSON. It
has a process of its own, so that a loop without an end can be stopped, and nothing that a design changes reaches the
notebook.
"""

import contextlib
import io
import json
import linecache
import os
import random
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

MODULE = "mine"  # what the tests import
SEED = 8191  # unlikely in a design, so that seeding in it changes the state of the random numbers


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


class Observer:
    """A plugin for pytest that runs only the tests of one function, and writes down their outcome."""

    def __init__(self, function: str) -> None:
        self.function, self.broken, self._last = function, "", ""
        self.ran, self.failed, self.left_out = [], {}, []

    def outcome(self) -> Outcome:
        """Return what was written down."""
        return Outcome(self.ran, self.failed, self.left_out, self.broken)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests, or the tests of a class, whose name contains that of the function."""
        wanted = self.function.replace("_", "")
        chosen = [item for item in items if wanted in _name(item.nodeid).replace("_", "").lower()]
        self.left_out = [_name(item.nodeid) for item in items if item not in chosen]
        items[:] = chosen

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note an error in an import."""
        if report.failed:
            self.broken = _last_line(str(report.longrepr))

    def pytest_runtest_setup(self) -> None:
        """Begin each test with the same random and global states, whatever the tests before it did."""
        random.seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002 - a student may use it
        torch.manual_seed(SEED)
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note the test that begins, for `pytest_keyboard_interrupt`."""
        self._last = _name(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that ran, and where it failed."""
        name = _name(report.nodeid)
        if report.when == "call" or report.failed:
            self.ran += [name] * (name not in self.ran)
        if report.failed:
            self.failed.setdefault(name, _where(report))

    def pytest_keyboard_interrupt(self) -> None:
        """Count an interrupt that a test lets pass as a failure."""
        self.ran.append(self._last)
        self.failed[self._last] = "it let a KeyboardInterrupt pass"


def _name(nodeid: str) -> str:
    """Return the name of a test without its file: ``TestOrder::test_first``."""
    return nodeid.partition("::")[2]


def _where(report: pytest.TestReport) -> str:
    """Return the line of the test at which it failed, and the first line of the message."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return _last_line(str(report.longrepr))
    entries = [entry.reprfileloc for entry in report.longrepr.reprtraceback.reprentries if entry.reprfileloc]
    inside = [place for place in entries if Path(place.path).name == Path(report.fspath).name]
    line = inside[-1].lineno if inside else crash.lineno
    source = linecache.getline(str(report.fspath), line).strip()
    return f"line {line}, `{source}`: {crash.message.splitlines()[0] if crash.message else 'it failed'}"


def _last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")]
    return lines[-1] if lines else text.strip().splitlines()[-1]


def observe(tests: Path, function: str, source: str) -> Outcome:
    """Run the tests for the source of one design."""
    module = ModuleType(MODULE)
    module.__file__ = f"{MODULE}.py"
    observer = Observer(function)
    try:
        exec(compile(source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - a design, or a student's file
    except Exception as error:
        observer.broken = repr(error)
    else:
        sys.modules[MODULE] = module
        sys.modules.pop(tests.stem, None)
        linecache.checkcache(str(tests))
        options = ["-c", os.devnull, f"--rootdir={tests.parent}", "-p", "no:cacheprovider", "-p", "no:terminal"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            pytest.main([*options, str(tests)], [observer])
    return observer.outcome()


def main() -> None:
    """Run the tests for each design that stdin names."""
    given = json.load(sys.stdin)
    answer = sys.stdout
    torch.set_num_threads(1)
    print("ready", file=answer, flush=True)
    for source in given["sources"].values():
        result = observe(Path(given["tests"]), given["function"], source)
        print(json.dumps(asdict(result)), file=answer, flush=True)


if __name__ == "__main__":
    main()
