"""Compare the behavior of an answer with the reference, and match wrong answers to known mistakes."""

import copy
import functools
import inspect
import linecache
import math
import re
import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from srlab_course.feedback.exercise import TODO, Answer, Exercise, IncorrectAnswer, Mistake, NotAttempted, filled
from srlab_course.feedback.fallback import uses_fallback
from srlab_course.feedback.seeding import seeded
from srlab_course.feedback.value_comparison import difference, shown

Outcome = dict[str, Any] | Exception  # observation -> value; what an answer does in one case
GRAPH_LEFT = (
    "Your result still has its autograd graph, which keeps everything it was computed from in memory. If you do "
    "not need its gradient any more, return only the value, with detach()."
)


def judge(exercise: Exercise, answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield ("passed", case) for each case in which an answer is right, and ("note", remark).

    Raise `IncorrectAnswer` if it disagrees, with the hint for the known mistake with the same behavior, or else the
    first difference. Raise `NotAttempted` if it is `TODO` or returns it.
    """
    if answer is TODO:
        raise NotAttempted
    if not callable(answer):
        raise IncorrectAnswer(
            "You passed check a value, not a function "
            f"({type(answer).__name__}). Pass the function itself, without parentheses."
        )
    if uses_fallback(exercise, answer):
        raise IncorrectAnswer(
            "This is just a wrapper around the reference solution, which the lab has used since the last check. Write "
            "your own code, run its cell, and then run this cell again."
        )
    noted: set[str] = set()
    outcome = functools.cache(lambda case: run(exercise, answer, case))
    for case in exercise.cases:
        given = outcome(case)
        if isinstance(given, NotAttempted):
            raise given
        wanted = known_outcome(exercise, exercise.reference, case)
        if isinstance(wanted, Exception):
            raise wanted
        observation = _first_difference(exercise, given, wanted)
        note: str | None
        if observation is None:
            assert not isinstance(given, Exception)  # it equals the reference's values
            note = GRAPH_LEFT if any(_with_graph(given[name]) > _with_graph(wanted[name]) for name in wanted) else None
        elif found := _known(exercise, exercise.notes, outcome, case, observation):
            note = found.hint
        else:
            raise _wrong(exercise, answer, outcome, case, observation)
        yield "passed", case
        if note and note not in noted:
            noted.add(note)
            yield "note", note


def _wrong(
    exercise: Exercise, answer: Answer, outcome: Callable[[str], Outcome], case: str, observation: str
) -> IncorrectAnswer:
    """Return the error for an answer that differs from the reference in an observation, or raised an exception."""
    given, wanted = outcome(case), known_outcome(exercise, exercise.reference, case)
    only_its_kind = agree(exercise, given, wanted, observation)  # a value that is right except for its type
    mistake = None if only_its_kind else _known(exercise, exercise.known_mistakes, outcome, case, observation)
    if isinstance(given, Exception):
        name, hint = mistake[:2] if mistake else (getattr(given, "name", ""), stopped(given, answer))
        wrong = IncorrectAnswer(hint, name or type(given).__name__)
        wrong.__cause__ = given
        return wrong
    assert not isinstance(wanted, Exception)
    given, wanted = given[observation], wanted[observation]
    if mistake:
        kind = difference(given, wanted, math.inf)
        return IncorrectAnswer(f"{kind} {mistake.hint}".strip(), mistake.name)
    return IncorrectAnswer(_unknown(exercise, observation, given, wanted), observation)


def run(exercise: Exercise, answer: Answer, case: str) -> Outcome:
    """Run an answer on fresh inputs with a fixed seed, without changing the lab's random states."""
    inputs = exercise.cases[case]
    observe = exercise.observe or (lambda answer, *inputs: {case: filled(answer(*inputs))})
    with seeded(0), torch.enable_grad():
        inputs = inputs() if callable(inputs) else copy.deepcopy(inputs)
        before = [_data(value) for value in inputs]
        try:
            observed = observe(answer, *inputs)
        except Exception as error:
            return error
        except SystemExit as error:
            return IncorrectAnswer(stopped(error, answer))
        if not torch.is_grad_enabled():
            return IncorrectAnswer(
                "Your function switches gradients off for all code that runs after it. Switch them off only where you "
                "need it, in a block that begins with `with torch.no_grad():`."
            )
    names = [f"`{name}`" for name in inspect.signature(exercise.reference).parameters]
    for index, (old, new) in enumerate(zip(before, inputs, strict=True)):
        if difference(_data(new), old, 0.0):
            name = names[index] if exercise.observe is None else "an input"
            return IncorrectAnswer(
                f"You changed {name} in place, for example with +=, pop, sort or a method that ends in _. Later code "
                "would get the changed value. Make a new one."
            )
    return observed


known_outcome = functools.cache(run)  # only for the reference and the listed answers, which do not change


def _data(value: Any) -> Any:
    """Copy the comparable parts of an input; networks, optimizers and functions become ""."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, list | tuple):
        return [_data(part) for part in value]
    if isinstance(value, dict):
        return {key: _data(part) for key, part in value.items()}
    return value if isinstance(value, int | float | str) else ""


def _first_difference(exercise: Exercise, given: Outcome, wanted: dict[str, Any]) -> str | None:
    """Return the first observation that differs, "" for an exception, or None if all are equal."""
    if isinstance(given, Exception):
        return ""
    return next((name for name in wanted if difference(given[name], wanted[name], exercise.tolerance)), None)


def _known(
    exercise: Exercise,
    listed: Sequence[Mistake],
    outcome: Callable[[str], Outcome],
    case: str,
    observation: str,
) -> Mistake | None:
    """Return the listed mistake or note of which an answer agrees in an observation.

    If several agree, use the one with the most agreements over all cases.
    """
    pairs = [(mistake, answer) for mistake in listed for answer in mistake.answers]
    same = [
        pair for pair in pairs if agree(exercise, outcome(case), known_outcome(exercise, pair[1], case), observation)
    ]
    if len({mistake.name for mistake, _ in same}) > 1:
        same.sort(key=lambda pair: _agreements(exercise, outcome, pair[1]), reverse=True)
    return same[0][0] if same else None


def _agreements(exercise: Exercise, outcome: Callable[[str], Outcome], mistake: Answer) -> int:
    count = 0
    for case in exercise.cases:
        given, other = outcome(case), known_outcome(exercise, mistake, case)
        observations = [""] if isinstance(given, Exception) else list(given)
        count += sum(agree(exercise, given, other, observation) for observation in observations)
    return count


def agree(exercise: Exercise, given: Outcome, other: Outcome, observation: str) -> bool:
    """Return whether two outcomes have the same value for an observation, or the same kind of exception."""
    if isinstance(given, Exception) or isinstance(other, Exception):
        return _signature(given) == _signature(other)
    if observation not in other:
        return False
    try:
        return not difference(given[observation], other[observation], exercise.tolerance, any_kind=True)
    except IncorrectAnswer:  # a value is missing in one of them
        return False


def _signature(outcome: Outcome) -> tuple[type, str]:
    """Return type and message of an exception, with names of functions and classes and numbers such as sizes masked."""
    message = str(outcome) if isinstance(outcome, Exception) else ""
    message = re.sub(r"[\w.<>]+\(\)|'\w+' object", "#", message)
    return type(outcome), re.sub(r"(?<!\w)-?\d+(?:[., ]+-?\d+)*,?", "#", message)


def _with_graph(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_with_graph(part) for part in value)
    return isinstance(value, torch.Tensor) and value.requires_grad


def _unknown(exercise: Exercise, observation: str, given: Any, wanted: Any) -> str:
    """Return the message for a difference that no known mistake explains."""
    sentence = exercise.fallback_messages.get(observation, f"Not correct yet: {observation}.")
    if "{given" in sentence:
        return sentence.format(given=shown(given))
    if isinstance(wanted, bool):
        return sentence
    return f"{sentence} {difference(given, wanted, exercise.tolerance, exercise.reveal)}"


def how(error: BaseException) -> str:
    """Return how an exception ended a student's code, as the end of a sentence."""
    if isinstance(error, SystemExit):
        return "calls sys.exit, which would end the notebook"
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # without colors
    if isinstance(error, MemoryError) or re.search("tried to allocate|out of memory", plain, re.IGNORECASE):
        return "needs more memory than is free"
    first_line = plain.strip().partition("\n")[0]  # torch adds a long list of valid arguments
    return textwrap.shorten(f"stopped with {type(error).__name__}: {first_line}", 250, placeholder=" ...")


def stopped(error: BaseException, answer: Answer) -> str:
    """Return the message for an answer that raised an error, with the line of code if known."""
    if isinstance(error, IncorrectAnswer):
        return str(error)
    home = getattr(answer, "__module__", None)
    lines = [
        linecache.getline(frame.f_code.co_filename, number).strip()
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == home
    ]
    line = f" (in the line: {lines[-1]})" if lines and lines[-1] else ""
    return f"Your code {how(error)}{line}"
