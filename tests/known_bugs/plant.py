"""Plants one bug after the other in a copy of the repository, and sees whether its check fails.

``python -m tests.known_bugs.plant`` prints a table, and ends with 1 if a bug survives; ``--table FILE`` writes it, and
``--only WORD`` takes the bugs with that word in their name, place or file.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from .bug import Bug
from .bugs import BUGS

ROOT = Path(__file__).parents[2]
COPIED = ("srlab", "notebooks", "tests", "pyproject.toml")
# Python refused the text itself: then it is the replacement that is wrong, and nothing was caught.
SLIPS = ("SyntaxError", "IndentationError", "NameError", "ImportError", "ModuleNotFoundError")


def planted(root: Path, bug: Bug) -> str:
    """The text of the bug's file below `root`, with the bug in it."""
    text, old, new = (root / bug.file).read_text(encoding="utf-8"), bug.old, bug.new
    if bug.file.endswith(".ipynb"):  # where a line of code is a string of JSON
        old, new = (json.dumps(one, ensure_ascii=False)[1:-1] for one in (old, new))
    count = text.count(old)
    assert count == 1, f"{bug.file} has the text of '{bug.place}' {count} times; it must stand there once"
    return text.replace(old, new)


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of what the checks need, that is imported in place of the installed package."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "course"
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "runs", "*.png"))
            else:
                shutil.copy(ROOT / name, copy / name)
        found = _run(copy, "-c", "import srlab; print(srlab.__file__)").stdout.strip()
        assert Path(found).is_relative_to(copy), f"srlab came from {found}, and not from the copy"
        yield copy


def _run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, as on a machine where nothing of the course is set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SRLAB_", "PYTEST_"))}
    ours |= {"PYTHONPATH": str(copy), "SRLAB_HOME": str(copy / "runs"), "PYTHONDONTWRITEBYTECODE": "1"}
    outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run([sys.executable, *words], cwd=copy, env=ours, text=True, timeout=600, **outputs)


def failures(copy: Path, checks: list[str]) -> list[str]:
    """Run tests of the copy; the first line of what each that failed said.

    Tests that are skipped or cannot begin would see nothing: an error.
    """
    report = copy / "report.xml"
    result = _run(copy, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *dict.fromkeys(checks))
    assert result.returncode in (0, 1), result.stdout
    cases = list(ElementTree.parse(report).iter("testcase"))
    unseen = [case.get("name") for case in cases if case.find("error") is not None or case.find("skipped") is not None]
    assert cases, result.stdout
    assert not unseen, f"these tests did not run: {unseen}\n{result.stdout}"
    return [failure.get("message", "").split("\n")[0] for case in cases for failure in case.findall("failure")]


def catch(bug: Bug) -> bool:
    """Plant a bug in a fresh copy and run its check; whether it failed."""
    with copied() as copy:
        text = planted(copy, bug)
        (copy / bug.file).write_text(text, encoding="utf-8")
        found = failures(copy, [bug.check])
    slips = [said for said in found if said.startswith(SLIPS)]
    assert not slips, f"'{bug.place}' is not planted well: {slips[0]}"
    return bool(found)


def row(bug: Bug, caught: bool) -> str:
    """A line of the table."""
    check = f"`{bug.check.removeprefix('tests/')}`" if caught else "**nothing, it survives**"
    exercise = f"`{bug.exercise.partition(':')[0]}`" if bug.exercise else ""
    return f"| {bug.name} | {bug.place} (`{bug.file}`) | {check} | {exercise} |"


HEAD = """# Bugs that people really made, planted here

Written by `make mutations`: one bug after the other is planted in a copy of the repository, and the smallest check that
should see it is run. Without the bug all of these checks pass. An exercise is named where its check recognises the same
bug in an answer.

| bug | where it was planted | caught by | exercise |
|---|---|---|---|
"""


def main() -> int:
    """Plant the bugs; returns 1 if one survives."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="bugs with this in their name, place or file")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table as well")
    options = parser.parse_args()
    chosen = [bug for bug in BUGS if options.only in f"{bug.name} {bug.place} {bug.file}"]
    with copied() as copy:
        assert not (found := failures(copy, [bug.check for bug in chosen])), f"without any bug this fails: {found}"
    caught = {}
    for bug in chosen:
        caught[bug] = catch(bug)
        print(row(bug, caught[bug]), flush=True)
    if options.table:
        options.table.write_text(HEAD + "".join(f"{row(*one)}\n" for one in caught.items()), encoding="utf-8")
    print(f"{sum(caught.values())} of {len(chosen)} bugs are caught.")
    return int(not all(caught.values()))


if __name__ == "__main__":
    sys.exit(main())
