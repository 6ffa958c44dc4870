"""What an exercise is: a reference answer, cases, and known mistakes with a hint each.

A lab is a folder of `srlab.course.exercises` and an exercise a file in it, ``srresnet/residual_block.py`` for
``srresnet.ResidualBlock``, with one `Exercise` named ``EXERCISE``. The name of an exercise is that of its reference
answer; there is no other list.
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
        return "TODO (this exercise is still to do)"


TODO = _Todo()


class Wrong(SrlabError):
    """An answer is not correct; the message is the hint."""


class StillToDo(Wrong):
    """The stub was called as it stands."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise: its reference answer, and everything that an answer is checked with.

    Attributes
    ----------
    reference
        The answer that the lab goes on with if the student's is missing or incorrect. `srlab solutions` writes it into
        the stub, so it uses nothing from its module except imports.
    level
        Difficulty.
    importance
        Points, from 1 to 5, as in the text above the exercise.
    cases
        Description of a case -> its inputs: a tuple, which is copied for each run, or a function that makes one.
    mistakes
        Hint -> the wrong answer that it is about, or several of them.
    hints
        Help for a start, the gentlest first.
    also_right
        Other correct answers.
    notes
        Remark -> an answer, or several, that is accepted with this remark.
    observe
        Function of an answer and the inputs of a case. It returns what is compared in place of the result, in order:
        a dict of observation -> number, tensor, text, or a list, tuple or dict of these.
    otherwise
        Case or observation -> message for a difference there that no known mistake makes; ``{given}`` is replaced by
        the answer's value.
    tolerance
        Largest absolute difference of numbers that count as equal.
    reveal
        Show the wanted value as well; False if it would give the answer away.
    """

    reference: Answer
    _: KW_ONLY
    level: Literal["easy", "medium", "hard"]
    importance: Literal[1, 2, 3, 4, 5]
    cases: Mapping[str, tuple[Any, ...] | Callable[[], tuple[Any, ...]]]
    mistakes: Mapping[str, Answer | Sequence[Answer]]
    hints: tuple[str, ...]
    also_right: Sequence[Answer] = ()
    notes: Mapping[str, Answer | Sequence[Answer]] = field(default_factory=dict)
    observe: Callable[..., dict[str, Any]] | None = None
    otherwise: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-4
    reveal: bool = True


def find(name: str) -> Exercise:
    """Return the exercise with a full name, ``"<lab>.<exercise>"``; an unknown name raises `SrlabError`."""
    known = _exercises()
    if name not in known:
        raise SrlabError(
            f"There is no exercise '{name}': correct the name, or get the lab anew if it is of another edition; the "
            f"exercises are {', '.join(known)}."
        )
    return known[name]


def names() -> list[str]:
    """Return the full names of all exercises, lab by lab."""
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


# --- What exercises are written with --------------------------------------------------------------------------


def sample(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Return float32 values in [low, high) that are the same in every run."""
    return low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def filled(result: Any) -> Any:
    """Return a result unless it is missing: `TODO` means that the stub is untouched, None a forgotten return."""
    if result is TODO:
        raise StillToDo
    if result is None:
        raise Wrong("The result is None. Does every path through your code end in a return?")
    return result
