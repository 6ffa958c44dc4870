"""Lab 07: the control, in which no end keeps the noise that it was drawn from."""

from typing import Any

import torch

from srlab_course.feedback.difference import take
from srlab_course.feedback.exercise import Answer, Exercise, sample

CALLS = 30  # of a random answer, which may be right by chance


def shuffle_ends(end: torch.Tensor) -> torch.Tensor:
    """Return the ends ``(N, ...)`` in another order, in which none is at its old place."""
    return end.roll(1, 0)


def _observe(answer: Answer, end: torch.Tensor) -> dict[str, Any]:
    results = [take(answer(end), end) for _ in range(CALLS)]
    same = torch.stack([(moved[:, None] == end).flatten(2).all(2) for moved in results])  # each result with each end
    kept = same.diagonal(dim1=1, dim2=2)
    return {
        "each end occurs once": bool((same.sum(1) == 1).all() and (same.sum(2) == 1).all()),
        "ends at their old place": "all" if kept.all() else "some" if kept.any() else "none",
    }


EXERCISE = Exercise(
    shuffle_ends,
    level="easy",
    points=1,
    cases={
        "eight points": (sample(8, 2),),
        "three images": (sample(3, 3, 4, 4, seed=1),),
        "two points": (sample(2, 2, seed=2),),
    },
    observe=_observe,
    reveal=False,
)
