"""Whether an edited step is noticed: in itself, and in what it calls."""

import re

import pytest

from srlab.training.step_code import hash_of_step

LESSON = """
import functools

def square(x):
    return x * x

def loss(sr, hr):
    return square(sr - hr)

def make(weight):
    parts = {"own": (weight, functools.partial(loss))}

    def step(lr, hr):
        return {"loss": sum(w * compare(lr, hr) for w, compare in parts.values())}

    return step
"""


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """Hash the step of a module with a text, imported anew."""
    monkeypatch.syspath_prepend(tmp_path)

    def hashed(text, weight=1):
        name = f"lesson_{abs(hash(text))}"
        (tmp_path / f"{name}.py").write_text(text)
        return hash_of_step(__import__(name).make(weight))

    return hashed


def test_an_edit_of_the_step_or_of_a_function_that_it_reaches_is_noticed_and_no_other(hashed):
    before = hashed(LESSON)
    assert re.fullmatch("[0-9a-f]{16}", before)
    for old, new in (("w * compare", "2 * w * compare"), ("square(sr", "abs(sr"), ("x * x", "x * x * x")):
        assert hashed(LESSON.replace(old, new)) != before
    assert hashed(LESSON + "\ndef other():\n    pass\n", weight=3) == before


def test_a_step_without_source_has_no_hash():
    namespace = {}
    exec("def step(lr, hr): return {}", namespace)
    assert hash_of_step(namespace["step"]) == ""
