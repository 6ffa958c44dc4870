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
from typing import NamedTuple

from .bug import Bug
from .bugs import BUGS

ROOT = Path(__file__).parents[2]
COPIED = ("srlab", "notebooks", "tests", "pyproject.toml")
# Python refused the text itself: then it is the replacement that is wrong, and nothing was caught.
UNTRUE = "SrlabError: What the lab says does not hold"  # how a claim of a lab fails
SLIPS = ("SyntaxError", "IndentationError", "NameError", "ImportError", "ModuleNotFoundError")


class Failure(NamedTuple):
    """A test or a cell that failed, and the first line of what it said."""

    where: str
    said: str


def planted(root: Path, bug: Bug) -> str:
    """The text of the bug's file below `root`, with the bug in it."""
    file = root / bug.file
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".ipynb":
        return _replaced(text, bug)
    notebook = json.loads(text)
    sources = {i: "".join(cell["source"]) for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"}
    places = [i for i, source in sources.items() if bug.old in source]
    assert len(places) == 1, f"{len(places)} cells of {bug.file} have the text of '{bug.place}'; one must have it"
    notebook["cells"][places[0]]["source"] = _replaced(sources[places[0]], bug).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _replaced(text: str, bug: Bug) -> str:
    count = text.count(bug.old)
    assert count == 1, f"{bug.file} has the text of '{bug.place}' {count} times; it must stand there once"
    return text.replace(bug.old, bug.new)


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
    ours |= {"SRLAB_CLAIMS": "1"}  # what a lab says must hold
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=copy, env=ours, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
    )


def failures_of_tests(copy: Path, *ids: str) -> list[Failure]:
    """Run tests of the copy; what failed. Tests that are skipped or cannot begin would see nothing: an error."""
    report = copy / "report.xml"
    result = _run(copy, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *dict.fromkeys(ids))
    assert result.returncode in (0, 1), result.stdout
    cases = list(ElementTree.parse(report).iter("testcase"))
    unseen = [case.get("name") for case in cases if case.find("error") is not None or case.find("skipped") is not None]
    assert cases, result.stdout
    assert not unseen, f"these tests did not run: {unseen}\n{result.stdout}"
    found = [(case.get("name", ""), failure) for case in cases for failure in case.findall("failure")]
    return [Failure(name, (failure.get("message") or "").split("\n")[0]) for name, failure in found]


def failures_of_lab(copy: Path, lab: str) -> list[Failure]:
    """Execute a lab of the copy by the recipe smoke; the claim of its own that does not hold."""
    out = copy / "runs" / "notebooks" / "smoke" / f"{lab}.ipynb"
    _run(copy, "-m", "srlab", "labs", lab, "--recipe", "smoke")
    executed = json.loads(out.read_text(encoding="utf-8"))
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
    errors = [f"{output['ename']}: {output['evalue']}" for output in outputs if output["output_type"] == "error"]
    assert all(UNTRUE in said for said in errors), f"lab {lab} broke before it could tell: {errors}"
    return [Failure(lab, said) for said in errors]


def failures(copy: Path, checks: list[str]) -> list[Failure]:
    """Run tests and labs of the copy."""
    labs = [check.removeprefix("lab ") for check in checks if check.startswith("lab ")]
    tests = [check for check in checks if not check.startswith("lab ")]
    found = failures_of_tests(copy, *tests) if tests else []
    return found + [failure for lab in labs for failure in failures_of_lab(copy, lab)]


def catch(bug: Bug) -> list[Failure]:
    """Plant a bug in a fresh copy and run its check."""
    with copied() as copy:
        text = planted(copy, bug)
        (copy / bug.file).write_text(text, encoding="utf-8")
        found = failures(copy, [bug.check])
    slips = [failure for failure in found if failure.said.startswith(SLIPS)]
    assert not slips, f"'{bug.place}' is not planted well: {slips[0]}"
    return found


def row(bug: Bug, found: list[Failure]) -> str:
    """A line of the table."""
    caught = f"`{bug.check.removeprefix('tests/')}`" if found else "**nothing, it survives**"
    exercise = f"`{bug.exercise.partition(':')[0]}`" if bug.exercise else ""
    cells = (bug.name, f"{bug.place} (`{bug.file}`)", caught, exercise)
    return f"| {' | '.join(cells)} |"


HEAD = """# Bugs that people really made, planted here

Written by `make mutations`: one bug after the other is planted in a copy of the repository, and the smallest check that
should see it is run. Without the bug all of these checks pass. An exercise is named where its check recognises the same
bug in an answer.

| bug | where it was planted | caught by | exercise |
|---|---|---|---|
"""


def main() -> int:
    """Plant the bugs; returns how many survive."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="bugs with this in their name, place or file")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table as well")
    options = parser.parse_args()
    chosen = [bug for bug in BUGS if options.only in f"{bug.name} {bug.place} {bug.file}"]
    assert chosen, f"no bug has '{options.only}' in its name, place or file"
    with copied() as copy:
        assert not (found := failures(copy, [bug.check for bug in chosen])), f"without any bug this fails: {found}"
    rows, survived = [], 0
    for bug in chosen:
        found = catch(bug)
        survived += not found
        rows.append(row(bug, found))
        print(rows[-1], flush=True)
    if options.table:
        options.table.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(chosen) - survived} of {len(chosen)} bugs are caught.")
    return survived


if __name__ == "__main__":
    sys.exit(min(main(), 1))
