"""The list of bugs fits the code as it is today; whether each is caught is seen by `make mutations`."""

import ast
import json
import re

import pytest

from srlab.course.exercise import find

from .bug import Known
from .bugs import BUGS
from .plant import ROOT, planted

IDS = [f"{bug.name.name}-{bug.place}" for bug in BUGS]
CHECKS = sorted({bug.check for bug in BUGS})


def test_every_known_bug_is_planted_somewhere_and_none_twice():
    assert {bug.name for bug in BUGS} == set(Known)
    assert len(set(IDS)) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=IDS)
def test_a_bug_has_its_place_and_changes_what_is_there(bug):
    text = planted(ROOT, bug)  # which refuses a text that is not there exactly once
    assert bug.new != bug.old
    if bug.file.endswith(".py"):
        ast.parse(text)
    elif bug.file.endswith(".ipynb"):
        (source,) = [s for cell in json.loads(text)["cells"] if bug.new in (s := "".join(cell["source"]))]
        ast.parse(source)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_exists(check):
    file, function = re.fullmatch(r"([\w/.]+)::(\w+)(?:\[.+\])?", check).groups()
    assert f"\ndef {function}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("told", sorted({bug.exercise for bug in BUGS if bug.exercise}))
def test_an_exercise_has_a_hint_for_it(told):
    name, hint = told.split(": ", 1)
    assert [known for known in find(name).mistakes if known.startswith(hint)]
