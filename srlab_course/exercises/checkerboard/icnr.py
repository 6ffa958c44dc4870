"""Extra: initial weights before a pixel shuffle that cause no checkerboard artifact."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, sample
from srlab_course.feedback.value_comparison import take


def icnr(weight: torch.Tensor, factor: int) -> torch.Tensor:
    """Initialize a convolution before ``PixelShuffle(factor)`` without a checkerboard (Aitken et al. 2017).

    Parameters
    ----------
    weight
        ``(C * factor**2, inputs, k, k)``, drawn at random; left unchanged.
    factor
        Upscaling factor of the pixel shuffle.

    Returns
    -------
    torch.Tensor
        ``(C * factor**2, inputs, k, k)``; C of these kernels, each copied to all channels of one cell.
    """
    places = factor**2
    return weight[::places].repeat_interleave(places, dim=0)


def _observe(answer: Answer, weight: torch.Tensor, factor: int) -> dict[str, Any]:
    result = take(answer(weight, factor), weight)
    kernels, drawn = result.detach().to(weight), list(weight)
    return {
        "all zero": not kernels.any(),
        "for each kernel, the index of the first equal one": [_first(kernel, kernels) for kernel in kernels],
        "the number of given kernels": sum(_first(kernel, drawn) is not None for kernel in kernels),
        "the dtype": str(result.dtype),
    }


def _first(wanted: torch.Tensor, kernels: torch.Tensor) -> int | None:
    return next((place for place, kernel in enumerate(kernels) if torch.allclose(kernel, wanted)), None)


EXERCISE = Exercise(
    icnr,
    level="medium",
    points=3,
    cases={
        "factor 2: all positions of a cell start with the same given kernel": (
            sample(12, 2, 3, 3, low=-1, seed=2),
            2,
        ),
        "factor 3": (sample(27, 2, 3, 3, low=-1, seed=3), 3),
    },
    observe=_observe,
)
