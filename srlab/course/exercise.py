"""Definition of an exercise: a reference answer, test cases, and known mistakes with a hint for each.

A lab is a subpackage of `srlab.course.exercises`, and an exercise is a module in it that defines ``EXERCISE``:
``srresnet/residual_block.py`` for ``srresnet.ResidualBlock``. An exercise has the name of its reference answer. You
do not need to register it.
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import torch

from srlab.course import exercises
from srlab.errors import SrlabError

Answer = Callable[..., Any]  # a function, or an nn.Module class


class _Todo:
    def __repr__(self) -> str:
        return "TODO (not attempted yet)"


TODO = _Todo()


class IncorrectAnswer(SrlabError):
    """An answer is not correct; the message is the hint."""


class NotAttempted(IncorrectAnswer):
    """The answer is the untouched stub."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """An exercise: its reference answer, and the cases and hints for checking an answer.

    Attributes
    ----------
    reference
        The answer that the lab continues with if the student's is missing or incorrect. `srlab solutions` copies it
        into the stub, so it must not use anything from its module except imports.
    points
        Number of points, as stated in the text above the exercise.
    cases
        Description of a case -> its inputs: a tuple, which is copied for each run, or a function that returns one.
    known_mistakes
        Hint -> one or several incorrect answers that it is for.
    hints
        Hints for getting started, most general first.
    also_accepted
        Other correct answers.
    notes
        Remark -> one or several answers that are accepted with this remark.
    observe
        Function that runs an answer on the inputs of a case and returns the values to compare instead of the result: a
        dict observation -> number, tensor, string, or a list, tuple or dict of these.
    fallback_messages
        Case or observation -> message for a difference that no known mistake explains; ``{given}`` is replaced with the
        answer's value.
    tolerance
        Largest absolute difference between numbers that count as equal.
    reveal
        Whether messages show the expected value; False if it would give the answer away.
    """

    reference: Answer
    _: KW_ONLY
    level: Literal["easy", "medium", "hard"]
    points: Literal[1, 2, 3, 4, 5]
    cases: Mapping[str, tuple[Any, ...] | Callable[[], tuple[Any, ...]]]
    known_mistakes: Mapping[str, Answer | Sequence[Answer]]
    hints: tuple[str, ...]
    also_accepted: Sequence[Answer] = ()
    notes: Mapping[str, Answer | Sequence[Answer]] = field(default_factory=dict)
    observe: Callable[..., dict[str, Any]] | None = None
    fallback_messages: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-4
    reveal: bool = True


def find(name: str) -> Exercise:
    """Return the exercise with a full name, ``"<lab>.<exercise>"``."""
    known = _exercises()
    if name not in known:
        raise SrlabError(
            f"Exercise '{name}' not found. Correct the name, or download the lab again if it is from another version. "
            f"Known exercises: {', '.join(known)}."
        )
    return known[name]


def names() -> list[str]:
    """Return the full names of all exercises, ordered by lab."""
    return list(_exercises())


@functools.cache
def _exercises() -> dict[str, Exercise]:
    found = {}
    for lab in pkgutil.iter_modules(exercises.__path__):
        if lab.ispkg:
            package = importlib.import_module(f"{exercises.__name__}.{lab.name}")
            for file in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
                exercise = importlib.import_module(file.name).EXERCISE
                found[f"{lab.name}.{exercise.reference.__name__}"] = exercise
    return found


# --- Tools for writing exercises ------------------------------------------------------------------------------


def sample(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Return uniform float32 values in [low, high), the same in every run."""
    return low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def filled(result: Any) -> Any:
    """Return a result unless it is missing: `TODO` raises `NotAttempted`, and None raises `IncorrectAnswer`."""
    if result is TODO:
        raise NotAttempted
    if result is None:
        raise IncorrectAnswer("The result is None. Does every path through your code end in a return?")
    return result
