"""No fault test writes into the runs of whoever runs it; and all of them together can write the table of results."""

import os
from collections import defaultdict
from pathlib import Path

import pytest

TABLE = os.environ.get("SRLAB_FAULT_TABLE")  # where to write it, if anywhere


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "runs"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Send the row with the report: with xdist, tests and table are in different processes."""
    report = (yield).get_result()
    if mark := item.get_closest_marker("fault"):
        section = (item.module.__doc__ or item.module.__name__).partition("\n")[0]
        report.user_properties += [("fault", (section, *mark.args))]


def pytest_terminal_summary(terminalreporter):
    if not TABLE:
        return
    rows = defaultdict(dict)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            facts = dict(getattr(report, "user_properties", []))
            if "fault" in facts and (report.when == "call" or outcome != "passed"):
                section, happens, ends = facts["fault"]
                said = {"passed": "yes", "skipped": f"skipped: {reason(report)}"}.get(outcome, "**no**")
                rows[section].setdefault((happens, ends), []).append((facts.get("times", 1), said))
    Path(TABLE).write_text(table(rows), encoding="utf-8")


def reason(report):
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else "see the log"


def table(rows):
    """One section a file of tests, one row a fault; a row holds only if every test of it did."""
    text = ["# What was done to srlab, and how it ended", ""]
    text += ["Written by `make faults`: every row is one or more tests of `tests/faults/`. `make test` runs the same,"]
    text += ["with fewer repetitions where something is killed at random moments."]
    held = sum(said == "yes" for section in rows.values() for tests in section.values() for _, said in tests)
    times = sum(times for section in rows.values() for tests in section.values() for times, _ in tests)
    text += ["", f"{sum(map(len, rows.values()))} cases, {times} times tried, {held} tests held."]
    for section, cases in sorted(rows.items()):
        text += ["", f"## {section}", "", "| what happens | how it must end | times | held |", "|---|---|---|---|"]
        for (happens, ends), tests in sorted(cases.items()):
            unlike = sorted({said for _, said in tests if said != "yes"}, key=lambda said: said != "**no**")
            text += [f"| {happens} | {ends} | {sum(n for n, _ in tests)} | {unlike[0] if unlike else 'yes'} |"]
    return "\n".join(text) + "\n"
