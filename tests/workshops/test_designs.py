"""Test our tests with designs: right ones pass the tests of their part, and wrong ones fail one of them."""

import ast
import re

import pytest

from srlab_course.workshops.our_tests import PARTS
from srlab_course.workshops.runner import folder
from tests.workshops.files import TESTS, designs_of, joined
from tests.workshops.table import tried

IN_A_PROCESS = "program"  # part whose tests start Python
QUICK = ("reference", "not clamped 0")  # its designs that every run tries


def judged(workshop, place, wanted):
    """Return each wanted design of a workshop with the first test that fails on it, or nothing."""
    designs = [design for design in designs_of(workshop) if wanted(design)]
    files = [(design.part, place / f"design_{number}.py") for number, design in enumerate(designs)]
    for design, (_, file) in zip(designs, files, strict=True):
        file.write_text(design.source, encoding="utf-8")
    table = tried(TESTS[workshop - 1], files, place)
    assert not table.skipped
    return [*zip(designs, table.failed, strict=True)]


def check(table):
    """Check that tests fail on wrong designs only."""
    failed = {f"{design.part}, {design.name}": why for design, why in table if design.right and why}
    assert not failed, "\n\n".join(f"A right design fails: {name}\n{why}" for name, why in failed.items())
    missed = [f"{design.part}, {design.name}" for design, why in table if not design.right and not why]
    assert not missed, "No test fails on these wrong designs. If they break a promise, add a test for it."


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("workshop", [1, 2, 3])
def test_tests_fail_on_wrong_designs_only(workshop, tmp_path):
    check(judged(workshop, tmp_path, lambda design: design.part != IN_A_PROCESS or design.name in QUICK))


@pytest.mark.nightly
def test_tests_of_the_program_fail_on_wrong_designs_only(tmp_path):
    check(judged(1, tmp_path, lambda design: design.part == IN_A_PROCESS))


def test_functions_without_a_body_fail_in_each_part(tmp_path):
    (tmp_path / "mine.py").write_text(NOTHING, encoding="utf-8")
    for tests in TESTS:
        failed = tried(tests, [(part, tmp_path / "mine.py") for part in PARTS[tests]], tmp_path).failed
        assert all(failed), dict(zip(PARTS[tests], failed, strict=True))


NAMES = set(re.findall(r"^(?:def|class) (\w+)", joined(3), re.MULTILINE))
NOTHING = "\n".join(f"def {name}(*_, **__): ..." for name in sorted(NAMES))


def test_each_test_has_a_part_a_promise_and_a_hint():
    parts = [(tests, part) for tests, parts in PARTS.items() for part in parts]
    found = set()
    for tests in PARTS:
        for node in ast.parse((folder() / tests).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                of = [one for one in parts if node.name.startswith(f"test_{one[1]}_")]
                assert of == [(tests, of[0][1])], f"{node.name} belongs to {of}"
                found.add(of[0])
                promise, _, hint = (ast.get_docstring(node) or "").partition("\n\n")
                assert promise.endswith("."), node.name
                assert hint, node.name
    assert found == {*parts}
