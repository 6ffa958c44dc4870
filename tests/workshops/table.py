"""Run the tests of a workshop on many files in one session of pytest, which is much faster than one for each."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from srlab_course.workshops.runner import folder, imported


class Table:
    """A plugin for pytest that runs the tests of a part on each file, up to the first that fails."""

    def __init__(self, files: Iterable[tuple[str, Path]]) -> None:
        self.files = [*files]
        self.failed: list[str] = []  # for each file, the first test that failed and its report, or nothing
        self.skipped: set[str] = set()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests of the part of each file, in the order of the test file."""
        for part, file in self.files:
            session.config.option.mine = file
            tests = [item for item in session.items if item.name.startswith(f"test_{part}_")]
            self.failed.append(next(filter(None, map(self._failure, tests)), ""))
        return True

    def _failure(self, item: pytest.Item) -> str:
        reports = runtestprotocol(item, log=False, nextitem=None)
        self.skipped |= {item.name for report in reports if report.skipped}
        return "".join(f"{item.name}\n{report.longreprtext}" for report in reports if report.failed)


def tried(tests: str, files: Iterable[tuple[str, Path]], place: Path) -> Table:
    """Return the table of the tests of a file, on (part, student's file)."""
    table = Table(files)
    options = ["-c", os.devnull, "--noconftest", "--disable-plugin-autoload", "--import-mode=importlib"]
    options += [f"--basetemp={place / 'base'}", "-pno:cacheprovider", "-pno:terminal", "-pno:unraisableexception"]
    pytest.main([*options, str(folder() / tests)], [imported(folder() / "conftest.py"), table])
    return table
