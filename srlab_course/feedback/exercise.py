"""Definition of an exercise: a reference answer, test cases, and known mistakes with a hint for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, NamedTuple

import torch

from srlab.errors import SrlabError

Answer = Callable[..., Any]  # a function, or an nn.Module class


class _Todo:
    def __repr__(self) -> str:
        return "TODO (not attempted yet)"


TODO = _Todo()


class IncorrectAnswer(SrlabError):
    """An answer is not correct; the message is the hint, and `name` a short name for it, to count it in a class."""

    def __init__(self, sentence: object = "", name: str = "") -> None:
        super().__init__(sentence)
        self.name = name


class NotAttempted(IncorrectAnswer):
    """The answer is the untouched stub."""


class Mistake(NamedTuple):
    """A known mistake: its short name, the hint for it, and one or several answers that make it."""

    name: str
    hint: str
    answers: Sequence[Answer]


@dataclass(frozen=True, eq=False)
class Exercise:
    """An exercise: its reference answer, and the cases and hints for checking an answer.

    A text next to the module (`srlab_course.feedback.exercise_text`) has the `hints`, `notes`, `known_mistakes`,
    `also_accepted` and `fallback_messages`. Only those that several exercises share are passed here.

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
        Incorrect answers with their hints.
    hints
        Hints for getting started, most general first.
    also_accepted
        Other correct answers.
    notes
        Answers that are accepted with a remark.
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
    known_mistakes: Sequence[Mistake] = ()
    hints: tuple[str, ...] = ()
    also_accepted: Sequence[Answer] = ()
    notes: Sequence[Mistake] = ()
    observe: Callable[..., dict[str, Any]] | None = None
    fallback_messages: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-4
    reveal: bool = True


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
