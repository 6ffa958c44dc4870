"""Whether an edited step is noticed: in itself, and in what it calls."""

import re

import pytest

from srlab.training.step_code import hash_of_step

LESSON = """
import functools
import torch

def square(x):
    return x * x

def loss(sr, hr):
    return square(sr - hr)

def bound(x):
    return x.clamp(0, 1)

class Block(torch.nn.Module):
    def forward(self, x):
        return x + 1

class Content:
    def __call__(self, x):
        return [bound(part) for part in x]

network, looks = torch.nn.Sequential(Block()), {"content": Content()}

def make(weight):
    parts = {"own": (weight, functools.partial(loss))}

    def step(lr, hr):
        return {"loss": sum(w * compare(looks["content"](network(lr)), hr) for w, compare in parts.values())}

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


def test_an_edit_of_the_step_or_of_what_it_reaches_is_noticed_and_no_other(hashed):
    before = hashed(LESSON)
    assert re.fullmatch("[0-9a-f]{16}", before)
    edits = (("w * compare", "2 * w * compare"), ("square(sr", "abs(sr"), ("x * x", "x * x * x"))
    edits += (("x + 1", "x + 2"), ("[bound(part)", "[2 * bound(part)"), ("clamp(0, 1)", "clamp(0, 2)"))
    for old, new in edits:
        assert hashed(LESSON.replace(old, new)) != before, new
    assert hashed(LESSON + "\ndef other():\n    pass\n", weight=3) == before


def test_a_step_without_source_has_no_hash():
    namespace = {}
    exec("def step(lr, hr): return {}", namespace)
    assert hash_of_step(namespace["step"]) == ""
