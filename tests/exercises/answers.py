"""What the tests of all exercises ask of an answer."""

import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.exercises import check, find


def said(capsys):
    """What was printed since, in one line."""
    return " ".join(capsys.readouterr().out.split())


def assert_recognised(name, phrase, answer, capsys):
    """A wrong answer gets its own hint, calmly, and the lab goes on with the reference."""
    exercise = find(name)
    assert check(name, answer) is exercise.reference
    assert phrase in (text := said(capsys))
    assert "goes on with the reference" in text
    assert "!" not in text


def assert_taken(name, answer, capsys):
    """A right answer is what the lab goes on with."""
    assert check(name, answer) is answer, said(capsys)


def assert_still_to_do(name, stub, capsys, monkeypatch):
    """What is not written yet gets the first hint alone, and is refused where answers are demanded."""
    exercise = find(name)
    assert check(name, stub) is exercise.reference
    text = said(capsys)
    assert "still to do" in text
    assert exercise.hints[0] in text
    assert exercise.hints[1] not in text
    monkeypatch.setenv("SRLAB_STRICT", "1")
    with pytest.raises(SrlabError, match="still to do"):
        check(name, stub)


def apart(found, right):
    """Hints with the value of another hint, or with the right one."""
    values = [(hint, float(torch.as_tensor(value).detach())) for hint, value in [("right", right), *found]]
    return [
        (hint, other)
        for i, (hint, value) in enumerate(values)
        for other, before in values[:i]
        if hint != other and abs(value - before) < 2e-4
    ]
