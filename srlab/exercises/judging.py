"""Tell a right answer from a wrong one by what it does, and find the mistake that does the same."""

import copy
import inspect
import linecache
import math
import re
import textwrap
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from srlab.exercises import Answer, Exercise, StillToDo, Wrong, filled
from srlab.exercises.difference import difference, shown

Outcome = dict[str, Any] | Exception  # observation -> value; what an answer does in one case


def judge(exercise: Exercise, answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield "passed" and each case in which an answer does what the reference does, and "note" and what is said of it.

    Raises
    ------
    Wrong
        It does something else: the hint of the mistake that does the same, or else the first difference.
    StillToDo
        It gives back `TODO`.
    """
    noted = ""
    for case in exercise.cases:
        given, wanted = run(exercise, answer, case), run(exercise, exercise.reference, case)
        if isinstance(wanted, Exception):
            raise wanted
        if isinstance(given, StillToDo):
            raise given
        observation = _first_difference(exercise, given, wanted)
        if observation is not None:
            if note := _known(exercise, exercise.notes, answer, case, given, observation):
                if note != noted:
                    yield "note", note
                noted = note
                continue
            hint = _known(exercise, exercise.mistakes, answer, case, given, observation)
            if isinstance(given, Exception):
                raise Wrong(hint or stopped(given, answer)) from given
            kind = difference(given[observation], wanted[observation], math.inf)
            raise Wrong(
                f"{kind} {hint}".strip()
                if hint
                else _unknown(exercise, observation, given[observation], wanted[observation])
            )
        yield "passed", case


def run(exercise: Exercise, answer: Answer, case: str) -> Outcome:
    """What an answer does with fresh inputs, from a seed of its own: the random numbers of the lab stay the same."""
    inputs = exercise.cases[case]
    observe = exercise.observe or (lambda answer, *inputs: {case: filled(answer(*inputs))})
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(0)
        inputs = inputs() if callable(inputs) else copy.deepcopy(inputs)
        before = [_data(value) for value in inputs]
        try:
            observed = observe(answer, *inputs)
        except Exception as error:
            return error
    names = [f"`{name}`" for name in inspect.signature(exercise.reference).parameters]
    for index, (old, new) in enumerate(zip(before, inputs, strict=True)):
        if difference(_data(new), old, 0.0):
            name = names[index] if exercise.observe is None else "An input"
            return Wrong(
                f"{name} was changed in place (by +=, pop, sort or a method that ends in _, say), and whoever uses it "
                "afterwards gets something else. Make a new one."
            )
    return observed


def _data(value: Any) -> Any:
    """A copy of what can be compared of an input, which is not a network, an optimizer or a function."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, list | tuple):
        return [_data(part) for part in value]
    if isinstance(value, dict):
        return {key: _data(part) for key, part in value.items()}
    return value if isinstance(value, int | float | str) else ""


def _first_difference(exercise: Exercise, given: Outcome, wanted: dict[str, Any]) -> str | None:
    """Name of the first observation that differs, "" where an exception came instead, None where all are equal."""
    if isinstance(given, Exception):
        return ""
    return next((name for name in wanted if difference(given[name], wanted[name], exercise.tolerance)), None)


def _known(
    exercise: Exercise,
    sayings: Mapping[str, Answer | Sequence[Answer]],
    answer: Answer,
    case: str,
    given: Outcome,
    observation: str,
) -> str | None:
    """What is said of the answer that does the same in an observation; of several, the one that does so most often."""
    pairs = [(said, one) for said, answers in sayings.items() for one in ([answers] if callable(answers) else answers)]
    same = [pair for pair in pairs if _agree(exercise, given, run(exercise, pair[1], case), observation)]
    if len({hint for hint, _ in same}) > 1:
        same.sort(key=lambda pair: _agreements(exercise, answer, pair[1]), reverse=True)
    return same[0][0] if same else None


def _agreements(exercise: Exercise, answer: Answer, mistake: Answer) -> int:
    count = 0
    for case in exercise.cases:
        given, other = run(exercise, answer, case), run(exercise, mistake, case)
        observations = [""] if isinstance(given, Exception) else list(given)
        count += sum(_agree(exercise, given, other, observation) for observation in observations)
    return count


def _agree(exercise: Exercise, given: Outcome, other: Outcome, observation: str) -> bool:
    if isinstance(given, Exception) != isinstance(other, Exception):
        return False
    if isinstance(given, Exception):
        # Sizes and names in a message need not be the same.
        first, second = ((type(outcome), re.sub(r"\d+|'.*?'", "", str(outcome))) for outcome in (given, other))
        return first == second
    if observation not in other:
        return False
    pair = other[observation], given[observation]
    # Both ways round, as a number is equal to a tensor with one element, but a tensor isn't to a number.
    try:
        return not all(difference(*turned, exercise.tolerance) for turned in (pair, pair[::-1]))
    except Wrong:  # in one of them something is missing
        return False


def _unknown(exercise: Exercise, observation: str, given: Any, wanted: Any) -> str:
    """What is said of a difference that no mistake makes."""
    sentence = exercise.otherwise.get(observation, f"Not right yet: {observation}.")
    if "{given" in sentence:
        return sentence.format(given=shown(given))
    if isinstance(wanted, bool):
        return sentence
    return f"{sentence} {difference(given, wanted, exercise.tolerance, exercise.reveal)}"


def stopped(error: Exception, answer: Answer) -> str:
    """Say that an answer raised, and in which of its lines, if that is known; a `Wrong` is a hint itself."""
    if isinstance(error, Wrong):
        return str(error)
    text = textwrap.shorten(f"{type(error).__name__}: {error}", 400, placeholder=" ...")
    home = getattr(answer, "__module__", None)
    lines = [
        linecache.getline(frame.f_code.co_filename, number).strip()
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == home
    ]
    line = f" (in the line: {lines[-1]})" if lines and lines[-1] else ""
    return f"Your code stopped with {text}{line}"
