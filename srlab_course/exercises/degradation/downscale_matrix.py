"""Lab 00: the weights that downscale a row of pixels."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.data.resampling import cubic
from srlab_course.feedback.exercise import Answer, Exercise
from srlab_course.feedback.value_comparison import take


def downscale_matrix(size: int, scale: int, kernel: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return the weights of the old pixels in each new one: center, stretch, normalize.

    Parameters
    ----------
    size
        Number of pixels in the old line, a multiple of `scale`.
    scale
        Old pixels per new one.
    kernel
        Weight as a function of distance in new pixels; takes a tensor of signed distances.

    Returns
    -------
    torch.Tensor
        ``(size // scale, size)``; each row adds up to 1.
    """
    centers = scale * torch.arange(size // scale) + (scale - 1) / 2
    weights = kernel((torch.arange(size) - centers[:, None]) / scale)
    return weights / weights.sum(dim=1, keepdim=True)


def _linear(x: torch.Tensor) -> torch.Tensor:
    return (1 - x.abs()).clamp(min=0)


def _observe(answer: Answer, size: int, scale: int, kernel: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, Any]:
    """Compare only those rows whole that no end of the kernel reaches; the ends are open to any that sum to 1."""
    matrix, reach = take(answer(size, scale, kernel), torch.zeros(size // scale, size)), 2 if kernel is cubic else 1
    return {"the rows inside": matrix[reach:-reach], "the sum of each row": matrix.sum(dim=1)}


EXERCISE = Exercise(
    downscale_matrix,
    level="medium",
    points=5,
    cases={
        "a linear kernel at scale 4": (16, 4, _linear),
        "the cubic kernel at scale 3": (18, 3, cubic),
        "scale 2": (12, 2, cubic),
    },
    observe=_observe,
)
