"""Extra: initial weights before a pixel shuffle that cause no checkerboard artifact."""

from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, sample


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
    known_mistakes={
        "Each kernel is there often enough, but in the wrong places: the channels of one cell are consecutive, and "
        "your copies aren't. For a factor of 2, which channels does PixelShuffle put into the first cell?": (
            lambda weight, factor: weight[:: factor**2].repeat(factor**2, 1, 1, 1)
        ),
        "A cell has factor**2 positions, factor along each axis, but your copies come in runs of a different length.": [
            lambda weight, factor: weight[::factor].repeat_interleave(factor, dim=0),
            lambda weight, factor: weight[:: len(weight) // factor**2].repeat_interleave(
                len(weight) // factor**2, dim=0
            ),
        ],
        "The positions of a cell still have different kernels, so the checkerboard is there from the start.": (
            lambda weight, factor: weight
        ),
        "All your weights are zero. There's no checkerboard, but no image either. Which kernels may stay as they were "
        "drawn?": (lambda weight, factor: torch.zeros_like(weight)),
        "4 positions per cell is correct for a factor of 2 only. How many are there in general?": (
            lambda weight, factor: weight[::4].repeat_interleave(4, dim=0)
        ),
        "All features have the same kernel now. The positions of one cell should agree, not the features.": [
            lambda weight, factor: weight[:1].expand_as(weight),
            lambda weight, factor: weight.mean(0, keepdim=True).expand_as(weight),
        ],
        "These aren't the kernels that you were given. Take some of them unchanged. The mean of four random ones, for "
        "example, is only half as large.": (
            lambda weight, factor: weight.unflatten(0, (-1, factor**2)).mean(1).repeat_interleave(factor**2, dim=0)
        ),
    },
    also_accepted=[lambda weight, factor: weight[: len(weight) // factor**2].repeat_interleave(factor**2, dim=0)],
    fallback_messages={"the dtype": "Your result is {given}, but the weights that you were given are not."},
    hints=(
        "PixelShuffle makes one cell of one feature from factor**2 channels. If these have the same kernel, the cell "
        "has one color. Which channels are they?",
        "They are consecutive: the first factor**2 channels are the first feature. PyTorch has repeat, which puts "
        "copies of the whole tensor one after the other, and repeat_interleave, which repeats each entry.",
    ),
)
