"""Test that each bug matches the current code, and (nightly) that its test fails when it is planted in a copy."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from srlab_course.feedback.all_exercises import find
from tests.conftest import ROOT

from .bugs import BUGS

PLANTED = [
    pytest.param(bug, id=re.sub(r"\W+", "-", f"{name} {number}"))
    for name, bugs in BUGS.items()
    for number, bug in enumerate(bugs, start=1)
]
# Python rejected the replacement itself, so the test has not caught the bug.
SLIPS = r" - (SyntaxError|IndentationError|NameError|ImportError|ModuleNotFoundError)"


@pytest.mark.parametrize("bug", PLANTED)
def test_bug_matches_code_test_and_exercise(bug):
    text = bug.plant(ROOT)
    if bug.file.endswith(".py"):
        ast.parse(text)
    elif bug.file.endswith(".ipynb"):
        (cell,) = [source for cell in json.loads(text)["cells"] if bug.new in (source := "".join(cell["source"]))]
        ast.parse(cell)
    file, test = bug.check.split("::")
    assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert not bug.exercise or find(bug.exercise).known_mistakes


def failures(copy, checks):
    """Run tests of the copy without any variable of the course set; return one line per failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SRLAB_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "", *checks]
    done = subprocess.run(command, cwd=copy / "tests", env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stdout
    return re.findall(r"^(?:FAILED|ERROR) .*", done.stdout, re.M)


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """Return a copy in which all checks pass."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("srlab", "srlab_course", "notebooks", "studies", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    assert failures(folder, {bug.check for bugs in BUGS.values() for bug in bugs}) == []
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
