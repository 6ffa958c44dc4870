"""Test how a student's tests are judged: by right and broken designs, each in a clean state."""

import subprocess
import sys

import pytest

from srlab.errors import SrlabError
from srlab_course.workshops import own_tests, runner
from srlab_course.workshops.own_tests import FUNCTIONS, read_designs, try_tests
from srlab_course.workshops.runner import Outcome, Result, observe, run_tests
from tests.workshops.files import joined


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.long
def test_our_tests_in_a_file_of_a_student(capsys, tmp_path):
    tests, mine = tmp_path / "test_mine.py", tmp_path / "own.py"
    tests.write_text(TESTS_OF_WALK, encoding="utf-8")
    mine.write_text(joined(3), encoding="utf-8")
    try_tests(tests, "walk", mine)
    right, broken = read_designs("walk")
    printed = said(capsys)
    assert f"All {len(right)} right designs pass your tests" in printed
    assert "caught" in printed
    assert f" of {len(broken)} are caught" in printed
    assert "All of your tests (1) pass on own.py" in printed


@pytest.mark.nightly
@pytest.mark.parametrize("function", FUNCTIONS)
def test_our_tests_catch_all_broken_designs(function):
    """The tests of designs show the same faster, but not this command."""
    done = subprocess.run(
        [sys.executable, "-m", "srlab_course.workshops.designs", function], capture_output=True, encoding="utf-8"
    )
    right, broken = read_designs(function)
    assert f"All {len(right)} right designs pass your tests" in done.stdout
    assert f"{len(broken)} of {len(broken)} are caught" in done.stdout


TESTS_OF_WALK = """
import torch
from mine import gan_step, psnr, validate, walk


def test_walk():
    class Flow(torch.nn.Module):
        def forward(self, x, t, lr):
            return torch.ones_like(x)

    end = walk(Flow(), torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 2, 2), 4)
    assert torch.allclose(end, torch.ones_like(end), atol=1e-5)
"""
DOUBLE = """
import math
import random
import sys

import torch
from mine import double


def test_double_of_two():
    assert double(2) == 4


class TestDouble:
    def test_of_zero(self):
        assert double(0) == 0


def test_double_in_a_clean_state():
    double(1)
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32


def test_halve():
    raise AssertionError("of another function")
"""
RIGHT = "def double(x):\n    return 2 * x\n"
SOURCES = {
    "right": RIGHT,
    "prints": f"print('hello')\n{RIGHT}",
    "leaves a trace": f"import torch\ntorch.set_grad_enabled(False)\nopen('trace.txt', 'w').close()\n{RIGHT}",
    "wrong": "def double(x):\n    return 2 + x\n",
    "stops Python": "import sys\n\ndef double(x):\n    sys.exit(3)\n",
    "interrupted": "def double(x):\n    raise KeyboardInterrupt\n",
    "kills": "import os\n\ndef double(x):\n    os._exit(0)\n",
    "takes all memory": "import torch\ndef double(x, all=[]):\n    while True: all.append(torch.ones(10**7))\n",
    "endless": "def double(x):\n    while True:\n        pass\n",
    "after endless": RIGHT,
    "waits for a busy machine": f"import time\n{RIGHT}    \n".replace("return", "time.sleep(1.1)\n    return"),
    "not named so": "def twice(x):\n    return 2 * x\n",
    "no Python": "def double(x):\nreturn 2 * x\n",
}

ENDS = {
    "endless": "It never ended: it was stopped after 3 seconds.",
    "kills": "It ended Python.",
    "interrupted": "It ended Python.",
    "takes all memory": "It needs more than 1.5 GB of memory.",
}


@pytest.mark.long
def test_each_design_is_tried_in_a_clean_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_mine.py").write_text(DOUBLE, encoding="utf-8")
    files = {name: tmp_path / f"{number}.py" for number, name in enumerate(SOURCES)}
    for name, source in SOURCES.items():
        files[name].write_text(source, encoding="utf-8")
    outcomes = run_tests(tmp_path / "test_mine.py", "double", files, limit=3.0, memory=1.5)
    assert list(outcomes) == list(SOURCES)
    names = ["test_double_of_two", "TestDouble::test_of_zero", "test_double_in_a_clean_state"]
    for name in ("right", "prints", "after endless", "waits for a busy machine"):
        assert outcomes[name].ran == names
        assert outcomes[name].failed == {}
        assert outcomes[name].left_out == ["test_halve"]
    assert list(outcomes["wrong"].failed) == names[1:2]
    assert list(outcomes["stops Python"].failed) == names
    for name, reason in ENDS.items():
        assert list(outcomes[name].failed.items()) == [(names[0], reason)]
        assert outcomes[name].ran == names[:1]
    assert "cannot import name 'double' from 'mine'" in outcomes["not named so"].broken
    assert "IndentationError" in outcomes["no Python"].broken
    why = outcomes["wrong"].failed["TestDouble::test_of_zero"]
    assert why == "line 16 of test_mine.py, `assert double(0) == 0`: assert 2 == 0"
    assert outcomes["stops Python"].failed["test_double_of_two"] == "line 4 of 4.py, `sys.exit(3)`: SystemExit: 3"
    assert not (tmp_path / "trace.txt").exists()


def observed(tests, source, folder):
    """Run tests in this process on a source, and return the events."""
    (folder / "test_mine.py").write_text(tests, encoding="utf-8")
    (folder / "own.py").write_text(source, encoding="utf-8")
    events = []
    conftest = runner.folder() / "conftest.py"
    observe(folder / "test_mine.py", "double", folder / "own.py", conftest, lambda *event: events.append(event))
    return events


def test_file_that_pytest_can_not_run(tmp_path):
    events = dict(observed("import mime", RIGHT, tmp_path))
    assert "No module named 'mime'" in events["broken"]
    [result] = [content for kind, content in observed("def test_double(net): ...", RIGHT, tmp_path) if kind == "result"]
    assert (result["outcome"], result["message"]) == ("failed", "fixture 'net' not found")


def test_options_for_pytest_in_the_environment_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-n auto -k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "not_there")
    events = observed("from mine import double\n\ndef test_double(): assert double(2) == 4", RIGHT, tmp_path)
    assert [content["outcome"] for kind, content in events if kind == "result"] == ["passed"]


def test_stop_button_ends_a_check(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        observed(DOUBLE, SOURCES["interrupted"], tmp_path)


def outcome(*failed, broken="", ran=("test_walk_a", "test_walk_b")):
    results = [Result(name, "failed" if name in failed else "passed", "assert 1 == 2", "line 7") for name in ran]
    return Outcome(results, ["test_mean"], broken)


@pytest.fixture
def judged(monkeypatch, capsys, tmp_path):
    """Return a function that prints the judgment of tests with these outcomes; the other designs pass both tests."""

    def judge(given):
        right, broken = read_designs("walk")
        found = {design.name: outcome() for design in (*right, *broken)} | given
        monkeypatch.setattr(own_tests, "run_tests", lambda *_: found)
        (tmp_path / "test_mine.py").touch()
        try_tests(tmp_path / "test_mine.py", "walk", tmp_path / "mine.py")
        return said(capsys)

    return judge


def test_missed_design_is_told_as_a_symptom(judged):
    _, broken = read_designs("walk")
    first, second = broken[:2]
    printed = judged({first.name: outcome("test_walk_a")})
    assert f"caught {first.name}, by test_walk_a" in printed
    assert first.text not in printed
    assert f'A bug report: "{second.text}"' in printed
    assert second.name not in printed
    assert f"1 of {len(broken)} are caught" in printed
    assert "Caught none of these: test_walk_b." in printed
    assert "Not run here, by their names: test_mean." in printed


def test_nothing_is_counted_before_right_designs_pass(judged):
    right, [first, *_] = read_designs("walk")
    printed = judged({"Heun": outcome("test_walk_b"), first.name: outcome("test_walk_a")})
    assert "test_walk_b fails on right designs: Heun. About the first: It runs the flow twice per step" in printed
    assert "line 7: assert 1 == 2" in printed
    assert f"{len(right) - 1} of {len(right)} right designs pass your tests" in printed
    assert "caught" not in printed
    assert "bug report" not in printed
    everywhere = judged({design.name: outcome("test_walk_a") for design in right})
    assert "test_walk_a fails on each right design, so look at the test first: line 7" in everywhere
    assert "on right designs" not in everywhere


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ({"broken": "ImportError: no walk"}, "test_mine.py can't be imported: ImportError: no walk. Tests begin with"),
        ({"ran": ()}, "test_mine.py has no test of `walk`. Begin the name of each with test_walk."),
    ],
)
def test_unusable_file_gets_one_sentence(judged, first, words):
    printed = judged({"the course's own": outcome(**first)})
    assert words in printed
    assert "are caught" not in printed


def test_missing_file_or_function(tmp_path, capsys):
    try_tests(tmp_path / "test_mine.py", "walk")
    assert "test_mine.py not found. Create it" in said(capsys)
    with pytest.raises(SrlabError, match=r"no designs of 'run'\. Choose validate, gan_step, walk"):
        try_tests(tmp_path / "test_mine.py", "run")


def test_design_needs_a_symptom_one_name_and_valid_code(tmp_path):
    (tmp_path / "walk_reference.py").write_text(RIGHT, encoding="utf-8")
    change = "    - 2 * x\n    + 2 + x\n"
    for text, message in (
        (f"## sum\n\n{change}", "'sum' needs a text"),
        (f"## sum\n\nIt adds.\n\n{change}\n{change}", "'sum' occurs twice"),
        ("## sum\n\nIt adds.\n\n    - 2 * x\n    + (2 + x\n", "the code of 'sum' is not valid Python"),
    ):
        (tmp_path / "walk_right_and_broken.md").write_text(f"# Right\n\n# Broken\n\n{text}", encoding="utf-8")
        with pytest.raises(SrlabError, match=message):
            read_designs("walk", tmp_path)
