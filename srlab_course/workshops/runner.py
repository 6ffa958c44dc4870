"""Run tests on a student's file, or on several designs, with pytest in a process of its own.

So whatever a file does there, such as a loop without an end, a call of sys.exit, taking all memory, seeding or writing
files, ends with the process, and the notebook gets a result.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import psutil
import pytest
import torch

from srlab.errors import SrlabError
from srlab.paths import recipes

LIMIT = 120.0  # seconds that a test may compute
WAIT = 10  # times as long, it may take on a busy machine
MEMORY = 4.0  # GB that the process may have


@dataclass(frozen=True)
class Result:
    """The result of a test.

    Attributes
    ----------
    name
        Name of the test without its file: ``TestOrder::test_first``.
    outcome
        ``"passed"``, ``"failed"``, or ``"skipped"`` because a function is not written yet.
    message
        Why it failed or was skipped: the assert with its values, or the exception.
    place
        The line where it failed, in the student's file or else in the test.
    docstring
        The docstring of the test: a promise, and after an empty line a hint.
    printed
        What the test has printed, with the code that it ran.
    """

    name: str
    outcome: str
    message: str = ""
    place: str = ""
    docstring: str = ""
    printed: str = ""

    @property
    def why(self) -> str:
        """Line and message of a failure, as one text."""
        return ": ".join(part for part in (self.place, self.message) if part)


@dataclass
class Outcome:
    """The results of tests on one file.

    Attributes
    ----------
    results
        Result of each test that ran.
    left_out
        Names of the tests of other functions.
    broken
        Why the tests could not be imported, or nothing.
    """

    results: list[Result] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    broken: str = ""

    @property
    def ran(self) -> list[str]:
        """Names of the tests."""
        return [one.name for one in self.results]

    @property
    def failed(self) -> dict[str, str]:
        """Test -> why it failed, in order."""
        return {one.name: one.why for one in self.results if one.outcome == "failed"}


def folder() -> Path:
    """Return the folder of the workshops' notebooks and tests."""
    return recipes().parent / "workshops"


def run_tests(
    tests: Path, part: str, files: Mapping[str, Path], limit: float = LIMIT, memory: float = MEMORY
) -> dict[str, Outcome]:
    """Run the tests whose names begin with ``test_`` and a part on each file, and return their outcomes by its name.

    A test fails if it computes for more than `limit` seconds, needs more than `memory` GB, or ends Python. The tests
    after it are not run, and the next file gets a new process.
    """
    seen: dict[str, Outcome] = {}
    while left := {name: file for name, file in files.items() if name not in seen}:
        paths = [str(file.resolve()) for file in left.values()]
        job = [str(tests.resolve()), part, paths, str((folder() / "conftest.py").resolve()), limit, memory]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
            done = subprocess.run(
                [sys.executable, "-B", "-m", __name__],
                input=json.dumps(job),
                cwd=place,  # for files that are written when a file is imported
                env=os.environ | {"PYTHONUTF8": "1"},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
            )
        ready, *events = [json.loads(line) for line in done.stdout.splitlines()] or [None]
        if ready is None:
            raise SrlabError(f"The tests could not be started: {done.stderr.strip()[-300:]}")
        seen |= zip(left, _outcomes(events), strict=False)
    return seen


def _outcomes(events: list[list[Any]]) -> list[Outcome]:
    """Return the outcome of each file from the events of a process, also of the file with which it ended."""
    outcomes, now, running, reason = [], Outcome(), "", "It ended Python."
    for kind, content in events:
        if kind == "running":
            running = content
        elif kind == "result":
            now.results.append(Result(**content))
            running = ""
        elif kind == "left out":
            now.left_out = content
        elif kind == "broken":
            now.broken = content
        elif kind == "stopped":
            reason = content
        elif kind == "end":
            outcomes.append(now)
            now, running = Outcome(), ""
    if not events or events[-1][0] != "end":
        if running:
            now.results.append(Result(running, "failed", reason))
        else:
            now.broken = now.broken or reason
        outcomes.append(now)
    return outcomes


class Observer:
    """A plugin for pytest that runs only the tests of one part, on a file or a module, and reports their results."""

    def __init__(self, part: str, mine: Path | ModuleType, report: Callable[[str, Any], None]) -> None:
        self.part, self.mine, self.report, self.broken = _key(part), mine, report, False

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Pass the file or module to the fixture `mine`."""
        config.option.mine = self.mine

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests, or the tests of a class, whose name begins with ``test_`` and the part."""
        wanted = [item for item in items if _key(_name(item)).startswith(f"test{self.part}")]
        self.report("left out", [_name(item) for item in items if item not in wanted])
        items[:] = wanted

    def pytest_exception_interact(self, node: Any, call: pytest.CallInfo) -> None:
        """Report why the tests can't be imported."""
        if not isinstance(node, pytest.Item):
            self.broken = True
            self.report("broken", repr(call.excinfo.value.__cause__ or call.excinfo.value))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Report the name of a test before it runs, because it may be the last."""
        self.report("running", nodeid.partition("::")[2])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Any:
        """Report the result of a test, once: after its call, or after a setup that it doesn't get beyond."""
        report = yield
        if report.when == "call" or (report.when == "setup" and not report.passed):
            place, message = "", ""
            if report.skipped:
                message = str(call.excinfo.value)
            elif report.failed:
                place, message = self._place(item, call.excinfo), _message(call.excinfo.value, report.longreprtext)
            text = item.function.__doc__ or ""
            result = Result(_name(item), report.outcome, message, place, text, report.capstdout[:4000])
            self.report("result", asdict(result))
        return report

    def _place(self, item: pytest.Item, failure: pytest.ExceptionInfo) -> str:
        """Return the line where a test failed: in the student's file, if it got there, or else in the test."""
        if isinstance(failure.value, SyntaxError):
            return f"line {failure.value.lineno} of {Path(failure.value.filename or '').name}"
        for file in (self.mine, item.path):
            if inside := [entry for entry in failure.traceback if str(entry.path) == str(file)]:
                code = " ".join(str(inside[-1].statement).split())
                return f"line {inside[-1].lineno + 1} of {Path(str(file)).name}, `{code}`"
        return ""


def _key(name: str) -> str:
    return name.replace("_", "").lower()


def _name(item: pytest.Item) -> str:
    """Return the name of a test without its file: ``TestOrder::test_first``."""
    return item.nodeid.partition("::")[2]


def _message(error: BaseException, report: str) -> str:
    """Return what an assert compared, or what an exception reports, from pytest's report of a failure."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    lines = [line[1:].strip() for line in report.splitlines() if line.startswith("E ")]
    end = next((number for number, line in enumerate(lines[:3]) if line.startswith("assert")), 0)
    return " ".join(lines[: end + 1])


def observe(
    tests: Path, part: str, mine: Path | ModuleType, conftest: Path, report: Callable[[str, Any], None]
) -> None:
    """Run the tests of a part in this process, without the options and plugins that pytest has for other projects.

    Call `report` with each event: ("result", fields of a `Result`), ("left out", names) or ("broken", reason).
    """
    options = ["-c", os.devnull, f"--rootdir={tests.parent}", "--noconftest", "--disable-plugin-autoload"]
    options += ["--import-mode=importlib", "--capture=sys", str(tests)]
    without = "cacheprovider", "terminal", "faulthandler", "unraisableexception"  # the last collects garbage ten times
    options += [f"-pno:{plugin}" for plugin in without]
    observer = Observer(part, mine, report)
    sys.modules.pop(tests.stem, None)  # as it was before the last change
    with patch.dict(os.environ), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        for own in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[own]
        end = pytest.main([*options, f"--basetemp={place}/tests"], [imported(conftest), observer])
    if end == pytest.ExitCode.INTERRUPTED and not observer.broken:  # pytest keeps the exception
        raise KeyboardInterrupt


def imported(file: Path) -> ModuleType:
    """Return a Python file as a new module."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Watch(threading.Thread):
    """End this process if a test computes for too long, waits for too long, or takes too much memory."""

    def __init__(self, limit: float, memory: float, report: Callable[[str, Any], None]) -> None:
        super().__init__(daemon=True)
        self.limit, self.memory, self.report = limit, memory, report
        self.restart()

    def restart(self) -> None:
        """Begin to count the seconds of a test."""
        self.computed, self.began = time.process_time(), time.monotonic()

    def run(self) -> None:
        """Look ten times per second."""
        process = psutil.Process()
        while True:
            time.sleep(0.1)
            if time.process_time() - self.computed > self.limit or time.monotonic() - self.began > WAIT * self.limit:
                self.end(f"It never ended: it was stopped after {self.limit:g} seconds.")
            if process.memory_info().rss > self.memory * 1e9:
                self.end(f"It needs more than {self.memory:g} GB of memory.")

    def end(self, reason: str) -> None:
        """Report why, and end the process."""
        self.report("stopped", reason)
        os._exit(1)


def main() -> None:
    """Run the tests in stdin on each file, and print each event as a line of JSON."""
    tests, part, files, conftest, limit, memory = json.load(sys.stdin)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout = sys.stderr  # what a file prints when it is imported

    def report(kind: str, content: Any) -> None:
        if kind == "running":
            watch.restart()
        print(json.dumps([kind, content]), file=events, flush=True)

    watch = Watch(limit, memory, report)
    report("ready", "")
    torch.set_num_threads(1)
    watch.start()
    for file in files:
        watch.restart()
        observe(Path(tests), part, Path(file), Path(conftest), report)
        report("end", "")


if __name__ == "__main__":
    main()
