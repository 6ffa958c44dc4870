"""Extra: first weights before a pixel shuffle, which need not leave a checkerboard."""

from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, sample


def icnr(weight: torch.Tensor, factor: int) -> torch.Tensor:
    """Start a convolution before ``PixelShuffle(factor)`` without a checkerboard (Aitken et al. 2017).

    Parameters
    ----------
    weight
        ``(C * factor**2, inputs, k, k)``, drawn at random; left as it is.
    factor
        Of the pixel shuffle.

    Returns
    -------
    torch.Tensor
        ``(C * factor**2, inputs, k, k)``; C of these kernels, each for all channels that land in one cell.
    """
    places = factor**2
    return weight[::places].repeat_interleave(places, dim=0)


def _observe(answer: Answer, weight: torch.Tensor, factor: int) -> dict[str, Any]:
    result = take(answer(weight, factor), weight)
    kernels, drawn = result.detach().to(weight), list(weight)
    return {
        "all zero": not kernels.any(),
        "for each kernel, the place of the first that is like it": [_first(kernel, kernels) for kernel in kernels],
        "kernels that came in": sum(_first(kernel, drawn) is not None for kernel in kernels),
        "kind of number": str(result.dtype),
    }


def _first(wanted: torch.Tensor, kernels: torch.Tensor) -> int | None:
    return next((place for place, kernel in enumerate(kernels) if torch.allclose(kernel, wanted)), None)


EXERCISE = Exercise(
    icnr,
    level="medium",
    points=3,
    cases={
        "a factor of 2: all places of a cell begin alike, as one of the kernels that came in": (
            sample(12, 2, 3, 3, low=-1, seed=2),
            2,
        ),
        "a factor of 3": (sample(27, 2, 3, 3, low=-1, seed=3), 3),
    },
    observe=_observe,
    known_mistakes={
        "Each kernel is there often enough, but not in the right places: the channels of one cell lie beside each "
        "other, and your copies lie apart. For a factor of 2, which channels does PixelShuffle lay out in the first "
        "cell?": (lambda weight, factor: weight[:: factor**2].repeat(factor**2, 1, 1, 1)),
        "A cell has factor**2 places, factor along each axis, and your copies come in runs of another length.": [
            lambda weight, factor: weight[::factor].repeat_interleave(factor, dim=0),
            lambda weight, factor: weight[:: len(weight) // factor**2].repeat_interleave(
                len(weight) // factor**2, dim=0
            ),
        ],
        "The places of a cell still come from different kernels, so the checkerboard is there from the start.": (
            lambda weight, factor: weight
        ),
        "All is zero. There's no checkerboard, and no picture either. Which kernels may stay as they were drawn?": (
            lambda weight, factor: torch.zeros_like(weight)
        ),
        "4 places a cell is right for a factor of 2 only. How many are there in general?": (
            lambda weight, factor: weight[::4].repeat_interleave(4, dim=0)
        ),
        "All features have the same kernel now. The places of one cell should agree, not the features.": [
            lambda weight, factor: weight[:1].expand_as(weight),
            lambda weight, factor: weight.mean(0, keepdim=True).expand_as(weight),
        ],
        "These aren't kernels that came in. Take some of them as they are. The mean of four random ones, for example, "
        "has half their size.": (
            lambda weight, factor: weight.unflatten(0, (-1, factor**2)).mean(1).repeat_interleave(factor**2, dim=0)
        ),
    },
    also_accepted=[lambda weight, factor: weight[: len(weight) // factor**2].repeat_interleave(factor**2, dim=0)],
    fallback_messages={"kind of number": "The result is {given}, and the weights that came in are not."},
    hints=(
        "PixelShuffle makes one cell of one feature out of factor**2 channels. If these have the same kernel, the cell "
        "is one color. Which channels are they?",
        "They lie beside each other: the first factor**2 channels are the first feature. torch has repeat, which lays "
        "copies of the whole behind each other, and repeat_interleave, which repeats each entry on its own.",
    ),
)
