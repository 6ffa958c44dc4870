"""Test how a student's tests are judged: by right and broken designs, each in a clean state."""

import pytest

from srlab.errors import SrlabError
from srlab_course.workshops import own_tests
from srlab_course.workshops.design_runner import STOPPED, Outcome, observe, outcomes_of
from srlab_course.workshops.own_tests import FOLDER, FUNCTIONS, model_tests, read_designs, try_tests
from tests.workshops.files import joined


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.long
@pytest.mark.parametrize("function", FUNCTIONS)
def test_model_tests_accept_right_designs_and_catch_broken_ones(function, capsys, tmp_path):
    tests, mine = tmp_path / "test_mine.py", tmp_path / "mine.py"
    of_all = "from mine import gan_step, psnr, validate, walk\n"  # one file for all workshops
    tests.write_text(of_all + (FOLDER / f"{function}_tests.py").read_text(encoding="utf-8"), encoding="utf-8")
    mine.write_text(joined(3), encoding="utf-8")
    try_tests(tests, function, mine)
    right, broken = read_designs(function)
    printed = said(capsys)
    assert f"All {len(right)} right designs are accepted" in printed
    missed = [design.name for design in broken if design.text in printed]
    assert not missed, f"{function}_tests.py catches none of these. If each breaks a promise, add a test to the file."
    assert f"{len(broken)} of {len(broken)} are caught" in printed
    assert "pass for mine.py" in printed
    model_tests(function)
    assert f"from mine import {function}" in said(capsys).replace("psnr, ", "")


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
    "wrong": "def double(x):\n    return 2 + x\n",
    "stops Python": "import sys\n\ndef double(x):\n    sys.exit(3)\n",
    "interrupted": "def double(x):\n    raise KeyboardInterrupt\n",
    "kills": "import os\n\ndef double(x):\n    os._exit(0)\n",
    "leaves a trace": "import torch\n\ndef double(x):\n    torch.set_grad_enabled(False)\n    return 2 * x\n",
    "after the trace": RIGHT,
    "endless": "def double(x):\n    while True:\n        pass\n",
    "after endless": RIGHT,
    "waits for a busy machine": f"import time\n{RIGHT}    \n".replace("return", "time.sleep(1.1)\n    return"),
    "not named so": "def twice(x):\n    return 2 * x\n",
    "no Python": "def double(x):\nreturn 2 * x\n",
}


@pytest.mark.long
def test_each_design_is_tried_in_a_clean_state(tmp_path):
    (tmp_path / "test_mine.py").write_text(DOUBLE, encoding="utf-8")
    outcomes = outcomes_of(tmp_path / "test_mine.py", "double", SOURCES, limit=3.0)
    assert list(outcomes) == list(SOURCES)
    names = ["test_double_of_two", "TestDouble::test_of_zero", "test_double_in_a_clean_state"]
    for name in ("right", "prints", "after the trace", "after endless", "waits for a busy machine"):
        assert outcomes[name] == Outcome(ran=names, left_out=["test_halve"])
    assert list(outcomes["wrong"].failed) == names[1:2]
    assert list(outcomes["stops Python"].failed) == names
    assert list(outcomes["leaves a trace"].failed) == names[2:]
    assert outcomes["endless"] == outcomes["kills"] == outcomes["interrupted"] == STOPPED
    assert "cannot import name 'double' from 'mine'" in outcomes["not named so"].broken
    assert "IndentationError" in outcomes["no Python"].broken
    assert outcomes["wrong"].failed["TestDouble::test_of_zero"] == "line 16, `assert double(0) == 0`: assert 2 == 0"
    assert outcomes["stops Python"].failed["test_double_of_two"] == "line 11, `assert double(2) == 4`: SystemExit: 3"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("import mime", Outcome(broken="ModuleNotFoundError(\"No module named 'mime'\")")),
        ("def test_double(network): ...", Outcome(["test_double"], {"test_double": "fixture 'network' not found"})),
        ("import pytest\n\ndef test_double():\n    pytest.skip('later')", Outcome(["test_double"])),
    ],
)
def test_file_that_pytest_can_not_run(text, outcome, tmp_path):
    (tmp_path / "test_mine.py").write_text(text, encoding="utf-8")
    assert observe(tmp_path / "test_mine.py", "double", RIGHT) == outcome


def test_options_for_pytest_in_the_environment_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-n auto -k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "not_there")
    (tmp_path / "test_mine.py").write_text("def test_double(): ...", encoding="utf-8")
    assert observe(tmp_path / "test_mine.py", "double", RIGHT) == Outcome(["test_double"])


def test_stop_button_ends_a_check(tmp_path):
    (tmp_path / "test_mine.py").write_text(DOUBLE, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        observe(tmp_path / "test_mine.py", "double", SOURCES["interrupted"])


def outcome(*failed, broken="", ran=("test_walk_a", "test_walk_b")):
    return Outcome([*ran], dict.fromkeys(failed, "line 7: assert 1 == 2"), ["test_mean"], broken)


@pytest.fixture
def judged(monkeypatch, capsys, tmp_path):
    """Return a function that prints the judgment of tests with these outcomes; the other designs pass both tests."""

    def judge(given):
        right, broken = read_designs("walk")
        found = {design.name: outcome() for design in (*right, *broken)} | given
        monkeypatch.setattr(own_tests, "outcomes_of", lambda *_: found)
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
    assert "test_walk_b rejects right designs: Heun. About the first: It runs the flow twice per step" in printed
    assert "line 7: assert 1 == 2" in printed
    assert f"{len(right) - 1} of {len(right)} right designs are accepted" in printed
    assert "caught" not in printed
    assert "bug report" not in printed
    everywhere = judged({design.name: outcome("test_walk_a") for design in right})
    assert "test_walk_a fails with each right design, so look at the test first: line 7" in everywhere
    assert "rejects a right design" not in everywhere


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
