"""Lab 01: the slope of a loss where the ground truth is uncertain."""

from typing import Any

import torch

from srlab.errors import SrlabError
from srlab_course.feedback.exercise import Answer, Exercise, filled, sample
from srlab_course.feedback.value_comparison import take


def slope(answer: torch.Tensor, pieces: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the slope of each pixel's expected loss, which training reduces step by step.

    Parameters
    ----------
    answer
        Any shape: the values that are answered.
    pieces
        ``(N, ...)``: N ground truths, each equally likely.
    loss
        ``"mse"`` (the slope is 0 at the mean) or ``"l1"`` (at the median).

    Returns
    -------
    torch.Tensor
        Like `answer`: positive where a slightly larger value would cost more.
    """
    away = answer - pieces
    if loss == "mse":
        return 2 * away.mean(0)
    if loss != "l1":
        raise SrlabError(f"'{loss}' is not a loss of this exercise. Use mse or l1.")
    return away.sign().mean(0)


# Every mistake gives another value: the distances are far from symmetric, and no answer equals a ground truth.
_PIXEL = torch.tensor(0.55), torch.tensor([0.1, 0.12, 0.2, 0.9, 0.97, 0.31, 0.24])
_PATCH = sample(1, 3, 4, low=0.2, high=0.7, seed=1), sample(9, 1, 3, 4, seed=2) ** 2
_SAME = sample(3, 1, 2, 2, seed=3)


def _observe(answer: Answer, values: torch.Tensor, pieces: torch.Tensor, loss: str) -> dict[str, Any]:
    found = take(filled(answer(values, pieces, loss)), values)
    if loss == "l1":  # it has a kink where the answer equals a piece: any slope from -1 to 1 is correct, but not NaN
        found = torch.where((values == pieces).any(0) & ~found.isnan(), 0.0, found)
    return {f"the slope for {loss}": found}


EXERCISE = Exercise(
    slope,
    level="medium",
    points=4,
    cases={
        "mse at one pixel": (*_PIXEL, "mse"),
        "l1 at one pixel": (*_PIXEL, "l1"),
        "mse at each pixel of a patch": (*_PATCH, "mse"),
        "l1 at each pixel of a patch": (*_PATCH, "l1"),
        "mse of an answer that is one of the pieces": (_SAME[0], _SAME, "mse"),
        "l1 of an answer that is one of the pieces": (_SAME[0], _SAME, "l1"),
    },
    observe=_observe,
)
