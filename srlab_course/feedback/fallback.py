"""The fallback for an incorrect answer: it computes the same as the reference and keeps the hints for the answer."""

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer


@dataclass(frozen=True)
class _Verdict:
    exercise: Exercise
    bearer: Answer  # the fallback itself: functools.wraps copies the verdict to other functions
    passed: list[tuple[str, str]]
    wrong: IncorrectAnswer


def make_fallback(exercise: Exercise, passed: list[tuple[str, str]], wrong: IncorrectAnswer) -> Answer:
    """Return a copy of the reference with a verdict: the cases that the answer passed and why it failed."""
    reference: Any = exercise.reference
    copy: Any
    if isinstance(reference, type):
        # Since Python 3.13, inspect.getsource needs the line number to find a class.
        wanted = ("__module__", "__qualname__", "__doc__", "__firstlineno__")
        names = {name: getattr(reference, name) for name in wanted if hasattr(reference, name)}
        copy = type(reference)(reference.__name__, (reference,), names)
    else:

        @functools.wraps(reference)
        def copy(*inputs: Any, **named: Any) -> Any:
            return reference(*inputs, **named)

    copy.verdict = _Verdict(exercise, copy, passed, wrong)
    return copy


def is_fallback(exercise: Exercise, answer: Any) -> bool:
    """Return whether an answer is a fallback for this exercise; functions derived from one do not count."""
    verdict = getattr(answer, "verdict", None)
    return isinstance(verdict, _Verdict) and verdict.bearer is answer and verdict.exercise is exercise


def uses_fallback(exercise: Exercise, answer: Any) -> bool:
    """Return whether an answer is derived from a fallback for its exercise, or calls one."""
    used = list(getattr(answer, "__mro__", ()))
    if inspect.isfunction(answer):
        names = inspect.getclosurevars(answer)
        used += [*names.nonlocals.values(), *names.globals.values()]
    return any(is_fallback(exercise, one) for one in used)


def repeat(fallback: Any) -> Iterator[tuple[str, str]]:
    """Yield and raise the same as `judge` for the replaced answer."""
    yield from fallback.verdict.passed
    raise fallback.verdict.wrong
