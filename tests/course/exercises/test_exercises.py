"""Test that every exercise accepts its correct answers and gives each mistake its hint.

One test covers all answers of an exercise, and each answer runs once, for its check and for all comparisons.
"""

import builtins
import dis
import inspect
import itertools
import linecache
from types import CodeType

import pytest
import torch
import torch.nn as nn

from srlab_course.feedback import judging
from srlab_course.feedback.all_exercises import find, names
from srlab_course.feedback.checks import check
from srlab_course.feedback.judging import agree, known_outcome


def pairs(listed):
    return [(mistake.hint, answer) for mistake in listed for answer in mistake.answers]


def said(capsys):
    """Return the text printed since the last call, in one line."""
    return " ".join(capsys.readouterr().out.split())


def spoil(*inputs):
    for value in inputs:
        if isinstance(value, torch.Tensor):
            value.data.zero_()


class Spoil(nn.Module):
    def __init__(self, *sizes):
        super().__init__()

    def forward(self, *inputs):
        spoil(*inputs)


def tensors(exercise):
    cases = (case() if callable(case) else case for case in exercise.cases.values())
    return [value.data for case in cases for value in case if isinstance(value, torch.Tensor)]


def unknown_names(answer):
    """Return the names that an answer looks up outside of itself and that don't exist."""

    def looked_up(code):
        found = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
        return found.union(*(looked_up(part) for part in code.co_consts if isinstance(part, CodeType)))

    methods = vars(answer).values() if isinstance(answer, type) else [answer]
    functions = [method for method in methods if inspect.isfunction(method)]
    return {
        name
        for function in functions
        for name in looked_up(function.__code__) - function.__globals__.keys() - vars(builtins).keys()
    }


def changed(answer, exercise):
    """Return the lines of an answer that the reference doesn't have."""
    known = inspect.getsource(exercise.reference).splitlines()
    code = answer.__init__.__code__ if isinstance(answer, type) else answer.__code__
    return "".join(line for line in linecache.getlines(code.co_filename) if line.rstrip("\n") not in known)


def alike(exercise, one, other):
    """Return whether two answers agree in all that is observed, so that one of them is enough."""
    for case in exercise.cases:
        first, second = (known_outcome(exercise, answer, case) for answer in (one, other))
        failed = isinstance(first, Exception) or isinstance(second, Exception)
        for name in [""] if failed else first.keys() | second.keys():
            if not (failed or name in first) or not agree(exercise, first, second, name):
                return False
    return True


# Each answer trains a project of its own: a minute or two per exercise.
SLOW = pytest.mark.nightly
NAMES = [pytest.param(name, marks=SLOW) if ".repair_" in name else name for name in names()]


@pytest.mark.parametrize("name", NAMES)
def test_known_mistake_gets_its_hint(name, capsys, monkeypatch):
    monkeypatch.setattr(judging, "run", known_outcome)
    exercise = find(name)
    cases = [f"passed {case}" for case in exercise.cases]
    dues = [(answer, [*cases, "correct The lab"]) for answer in (exercise.reference, *exercise.also_accepted)]
    dues += [(answer, [*cases, f"note {note}", "correct The lab"]) for note, answer in pairs(exercise.notes)]
    dues += [(answer, [f" {hint} Fix your answer"]) for hint, answer in pairs(exercise.known_mistakes)]
    dues += [(lambda *inputs, odd=odd: odd, [" hint "]) for odd in (None, 3.7, nn.Identity())]
    dues.append((Spoil if isinstance(exercise.reference, type) else spoil, [" hint "]))
    before, failed = [tensor.clone() for tensor in tensors(exercise)], []
    for answer, phrases in dues:
        taken = check(name, answer) is answer
        text = said(capsys)
        if taken != phrases[-1].startswith("correct The lab") or not all(phrase in text for phrase in phrases):
            failed.append(f"Wanted: {' ... '.join(phrases)}\nSaid:   {text}")
    assert not failed, "\n\n".join(failed)
    assert all(map(torch.equal, before, tensors(exercise))), "inputs of the next check"
    answers = [answer for _, answer in (*pairs(exercise.known_mistakes), *pairs(exercise.notes))]
    for answer in (*answers, *exercise.also_accepted):
        assert not unknown_names(answer), changed(answer, exercise)
        for case in exercise.cases:
            assert not isinstance(known_outcome(exercise, answer, case), NameError), changed(answer, exercise)
    twice = [pair for pair in itertools.combinations(answers, 2) if alike(exercise, *pair)]
    told = ["\n  and\n".join(changed(answer, exercise) for answer in pair) for pair in twice]
    assert not told, "One of them is enough:\n" + "\n\n".join(told)
