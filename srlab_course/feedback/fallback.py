"""The fallback for an incorrect answer: it computes the same as the reference and keeps the hints for the answer.

A fallback uses the notebook's other answers, as if it were written in the student's cell: the course's loop trains with
her step, and the course's network consists of her blocks.
"""

import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from srlab.shell import running_shell
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
        names: dict[str, Any] = {name: getattr(reference, name) for name in wanted if hasattr(reference, name)}
        if own := vars(reference).get("__init__"):  # makes a network's parts; its forward pass may be compiled
            names["__init__"] = _late(own)
        copy = type(reference)(reference.__name__, (reference,), names)
    else:
        copy = _late(reference)
    copy.verdict = _Verdict(exercise, copy, passed, wrong)
    return copy


def _late(reference: FunctionType) -> Answer:
    """Return a function that looks for the notebook's answers at each call."""

    @functools.wraps(reference)
    def copy(*inputs: Any, **named: Any) -> Any:
        return _in_the_notebook(reference)(*inputs, **named)

    return copy


def _in_the_notebook(reference: FunctionType) -> FunctionType:
    """Return a reference that calls the notebook's answers where it would call those of other exercises."""
    here, there = getattr(running_shell(), "user_ns", {}), reference.__globals__
    others = {
        name: here[name]
        for name, one in there.items()
        if name in here and is_reference(one) and one.__module__ != reference.__module__
    }
    if not others:
        return reference
    code, named = reference.__code__, (reference.__name__, reference.__defaults__, reference.__closure__)
    moved = FunctionType(code, there | others, *named)
    moved.__kwdefaults__ = reference.__kwdefaults__
    return moved


def is_reference(one: Any) -> bool:
    """Return whether an object is the reference answer of an exercise."""
    exercise = getattr(sys.modules.get(getattr(one, "__module__", None) or ""), "EXERCISE", None)
    return isinstance(exercise, Exercise) and exercise.reference is one


def is_any_fallback(answer: Any) -> bool:
    """Return whether an answer is a fallback; functions derived from one do not count."""
    verdict = getattr(answer, "verdict", None)
    return isinstance(verdict, _Verdict) and verdict.bearer is answer


def is_fallback(exercise: Exercise, answer: Any) -> bool:
    """Return whether an answer is a fallback for this exercise."""
    return is_any_fallback(answer) and answer.verdict.exercise is exercise


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
