"""What a lab goes on with in place of an answer that isn't right: the reference, and what was said of the answer."""

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from srlab.course.exercise import Answer, Exercise, Wrong


@dataclass(frozen=True)
class _Verdict:
    exercise: Exercise
    bearer: Answer  # functools.wraps copies the attributes of a function, so that a verdict says whose it is
    passed: list[tuple[str, str]]
    wrong: Wrong


def make_stand_in(exercise: Exercise, passed: list[tuple[str, str]], wrong: Wrong) -> Answer:
    """A copy of the reference that keeps a verdict: what was said before an answer failed, and why it did."""
    reference: Any = exercise.reference
    if isinstance(reference, type):
        # With the line number, from which inspect.getsource finds a class since Python 3.13.
        wanted = ("__module__", "__qualname__", "__doc__", "__firstlineno__")
        names = {name: getattr(reference, name) for name in wanted if hasattr(reference, name)}
        copy = type(reference)(reference.__name__, (reference,), names)
    else:

        @functools.wraps(reference)
        def copy(*inputs: Any, **named: Any) -> Any:
            return reference(*inputs, **named)

    copy.verdict = _Verdict(exercise, copy, passed, wrong)
    return copy


def stands_in(exercise: Exercise, answer: Any) -> bool:
    """Whether `make_stand_in` made an answer of this exercise, and not somebody who builds on what it made."""
    verdict = getattr(answer, "verdict", None)
    return isinstance(verdict, _Verdict) and verdict.bearer is answer and verdict.exercise is exercise


def leans_on_stand_in(exercise: Exercise, answer: Any) -> bool:
    """Whether an answer is derived from a stand-in of its own exercise, or calls one by name."""
    used = list(getattr(answer, "__mro__", ()))
    if inspect.isfunction(answer):
        names = inspect.getclosurevars(answer)
        used += [*names.nonlocals.values(), *names.globals.values()]
    return any(stands_in(exercise, one) for one in used)


def repeat(stand_in: Any) -> Iterator[tuple[str, str]]:
    """What `judge` gave of the answer in whose place a stand-in is, up to the hint that it raised."""
    yield from stand_in.verdict.passed
    raise stand_in.verdict.wrong
