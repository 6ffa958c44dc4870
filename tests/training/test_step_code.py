"""Whether an edited step is noticed: in itself, and in what it calls."""

import re

import pytest

from srlab.training.step_code import hash_of_step
from tests.training.little_run import LittleRun, half_done

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


def hashed(tmp_path, monkeypatch, text, weight=1):
    """Of a step in a module with this text, imported anew."""
    name = f"lesson_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return hash_of_step(__import__(name).make(weight))


@pytest.mark.parametrize(
    ("old", "new"), [("w * compare", "2 * w * compare"), ("square(sr", "abs(sr"), ("x * x", "x * x * x")]
)
def test_an_edit_of_the_step_or_of_a_function_that_it_reaches_is_noticed(tmp_path, monkeypatch, old, new):
    before = hashed(tmp_path, monkeypatch, LESSON)
    assert re.fullmatch("[0-9a-f]{16}", before)
    assert hashed(tmp_path, monkeypatch, LESSON.replace(old, new)) != before


def test_neither_numbers_nor_code_beside_it_count(tmp_path, monkeypatch):
    before = hashed(tmp_path, monkeypatch, LESSON)
    assert hashed(tmp_path, monkeypatch, LESSON + "\ndef other():\n    pass\n", weight=3) == before


def test_a_step_without_source_has_no_hash():
    namespace = {}
    exec("def step(lr, hr): return {}", namespace)
    assert hash_of_step(namespace["step"]) == ""


@pytest.mark.parametrize(
    ("done", "sentence"), [(4, "from step 4 on it is the new one"), (6, "what you see is the work of the code before")]
)
def test_a_run_says_that_its_code_has_changed_also_when_it_is_finished(capsys, done, sentence):
    class Edited(LittleRun):
        def step(self, lr, hr):
            return super().step(lr, hr)

    for run, kind in (("same", LittleRun), ("edited", Edited)):
        half_done(run) if done < 6 else LittleRun(run).fit()
        kind(run).fit()
        said = capsys.readouterr().out
        assert (sentence in said) == (run == "edited")
