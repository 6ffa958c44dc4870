"""Every exercise takes its right answers, gives each mistake its own hint, and leaves an untouched stub in peace."""

import re

import pytest
import torch.nn as nn

from srlab.base.errors import SrlabError
from srlab.exercises import TODO, check, find, names

NAMES = names()


def listed(answers):
    return [answers] if callable(answers) else list(answers)


def words(hint):
    """The first words of a hint, as they stand in the id of a test."""
    return re.sub(r"[^\w -]", "", " ".join(hint.split()[:7]))


MISTAKES = [
    pytest.param(name, hint, answer, id=f"{name}-{words(hint)}")
    for name in NAMES
    for hint, answers in find(name).mistakes.items()
    for answer in listed(answers)
]


def said(capsys):
    """What was printed since, in one line."""
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("name", "hint", "answer"), MISTAKES)
def test_a_mistake_gets_its_own_hint(name, hint, answer, capsys):
    assert check(name, answer) is find(name).reference
    assert f" {hint} The lab goes on with the reference" in said(capsys)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_and_other_right_answers_are_taken(name, capsys, monkeypatch):
    monkeypatch.setenv("SRLAB_STRICT", "1")
    exercise = find(name)
    for answer in (exercise.reference, *exercise.also_right):
        assert check(name, answer) is answer
        text = said(capsys)
        assert "right The lab goes on with your answer." in text
        assert all(f"passed {case}" in text for case in exercise.cases)


@pytest.mark.parametrize("name", [name for name in NAMES if find(name).notes])
def test_what_is_taken_with_a_remark(name, capsys, monkeypatch):
    monkeypatch.setenv("SRLAB_STRICT", "1")
    for note, answers in find(name).notes.items():
        for answer in listed(answers):
            assert check(name, answer) is answer
            assert f"note {note}" in said(capsys)


class Stub(nn.Module):
    """As it stands in the cell of a block."""

    def __init__(self, *sizes):
        super().__init__()

    def forward(self, *inputs):
        return TODO


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_still_to_do(name, capsys, monkeypatch):
    exercise = find(name)
    for stub in (TODO, Stub if isinstance(exercise.reference, type) else lambda *arguments: TODO):
        monkeypatch.delenv("SRLAB_STRICT", raising=False)
        assert check(name, stub) is exercise.reference
        text = said(capsys)
        assert "to do This one is still to do." in text
        assert exercise.hints[0] in text
        assert exercise.hints[1] not in text
        check(name, stub, hints=2)
        assert exercise.hints[1] in said(capsys)
        monkeypatch.setenv("SRLAB_STRICT", "1")
        with pytest.raises(SrlabError, match="still to do"):
            check(name, stub)


@pytest.mark.parametrize("name", NAMES)
def test_odd_results_get_a_calm_hint(name, capsys):
    for odd in (None, 3.7, nn.Identity()):
        assert check(name, lambda *inputs, result=odd: result) is find(name).reference
        assert " hint " in said(capsys), odd


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_has_mistakes_enough_and_is_calm(name):
    exercise = find(name)
    assert len(exercise.mistakes) >= 3
    assert exercise.also_right
    assert set(exercise.otherwise) <= set(exercise.cases) or exercise.observe
    for text in (*exercise.hints, *exercise.cases, *exercise.mistakes, *exercise.notes, *exercise.otherwise.values()):
        assert "!" not in text
        assert " just " not in text
