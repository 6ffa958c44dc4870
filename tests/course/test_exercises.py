"""Test that every exercise accepts its correct answers and gives each mistake its hint.

One test covers all answers of an exercise, so that the effect of each mistake is computed once.
"""

import pytest
import torch
import torch.nn as nn

from srlab.course.all_exercises import find, names
from srlab.course.checks import check


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


# Each answer trains a project of its own: a minute or two per exercise.
SLOW = pytest.mark.nightly
NAMES = [pytest.param(name, marks=SLOW) if ".repair_" in name else name for name in names()]


@pytest.mark.parametrize("name", NAMES)
def test_known_mistake_gets_its_hint(name, capsys):
    exercise = find(name)
    cases = [f"passed {case}" for case in exercise.cases]
    dues = [(answer, [*cases, "correct The lab"]) for answer in (exercise.reference, *exercise.also_accepted)]
    dues += [(answer, [f"note {note}", "correct The lab"]) for note, answer in pairs(exercise.notes)]
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
