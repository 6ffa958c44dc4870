"""Test that each bug of bugs.md matches our code, and (nightly) that its test fails when it is planted in a copy."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise_text import read_edits
from tests.conftest import ROOT

PAGE = Path(__file__).with_name("bugs.md")
TEXT = PAGE.read_text(encoding="utf-8")
# Python rejected the bug itself, so the test has not caught it.
SLIPS = r" - (SyntaxError|IndentationError|NameError|ImportError|ModuleNotFoundError)"


class Bug(NamedTuple):
    """A bug in a file of the course, and the test that must fail, relative to tests/."""

    file: str
    old: str
    new: str
    check: str

    def plant(self, root: Path) -> str:
        """Return the text of the file with the bug."""
        text, old, new = (root / self.file).read_text(encoding="utf-8"), self.old, self.new
        if self.file.endswith(".ipynb"):  # where each line of code is a JSON string
            old, new = (json.dumps(one, ensure_ascii=False)[1:-1] for one in (old, new))
        assert text.count(old) == 1, f"{self.file} contains {old!r} {text.count(old)} times instead of once."
        return text.replace(old, new)


def read_bugs():
    """Return the bugs of bugs.md, by their heading and number."""
    found = {}
    for name, section in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S):
        bugs = [
            Bug(file, *edit, check)
            for file, check, blocks in re.findall(r"^`(.+)`, caught by `(.+)`:\n\n((?: .*\n|\n)+)", section, re.M)
            for block in textwrap.dedent(blocks).strip("\n").split("\n\n")
            for (edit,) in read_edits(block, PAGE)
        ]
        found |= {f"{name} {number}": bug for number, bug in enumerate(bugs, start=1)}
    return found


BUGS = read_bugs()
PLANTED = [pytest.param(bug, id=re.sub(r"\W+", "-", name)) for name, bug in BUGS.items()]


@pytest.mark.parametrize("bug", PLANTED)
def test_bug_matches_code_and_test(bug):
    text = bug.plant(ROOT)
    if bug.file.endswith(".py"):
        ast.parse(text)
    elif bug.file.endswith(".ipynb"):
        (cell,) = [source for cell in json.loads(text)["cells"] if bug.new in (source := "".join(cell["source"]))]
        ast.parse(cell)
    file, test = bug.check.split("::")
    assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_page_is_read_as_a_whole():
    edits = re.findall(r"^    [-|] .*\n(?!    -)", TEXT, re.M)
    assert len(BUGS) == len(edits) > 40
    for names in re.findall(r"^Exercise: (.+)$", TEXT, re.M):
        assert all(find(name).known_mistakes for name in names.split(", "))


def failures(copy, checks):
    """Run tests of the copy without any variable of the course set; return one line per failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SRLAB_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", ""]
    command += [f"tests/{check}" for check in checks]  # from the root, because tests/ has folders with the same names
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stdout
    return re.findall(r"^(?:FAILED|ERROR) .*", done.stdout, re.M)


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """Return a copy in which all checks pass."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("srlab", "srlab_course", "notebooks", "studies", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    assert failures(folder, {bug.check for bug in BUGS.values()}) == []
    return folder


@pytest.mark.nightly
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_caught(copy, bug):
    file = copy / bug.file
    text = file.read_text(encoding="utf-8")
    file.write_text(bug.plant(copy), encoding="utf-8")
    try:
        failed = failures(copy, [bug.check])
    finally:
        file.write_text(text, encoding="utf-8")
    assert failed, f"no failure in {bug.check}"
    assert not re.search(SLIPS, "\n".join(failed))
