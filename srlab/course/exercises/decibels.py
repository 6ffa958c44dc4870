"""What people write in place of the decibels ``-10 log10(MSE)``, for the exercises about PSNR."""

import math
from collections.abc import Callable

import torch

from srlab.course.exercise import Answer

Formula = Callable[[torch.Tensor], torch.Tensor]  # errors (..., pixels) -> (...)
CEILING = (
    "Your PSNR has a ceiling: it ends at so many decibels, or something tiny is added to the MSE. That keeps equal "
    "images from giving infinity, many tools do it, and no score in this course comes near it. So it is taken."
)


def mse(error: torch.Tensor) -> torch.Tensor:
    """Mean of the squared errors of each row."""
    return error.square().mean(-1)


def decibels(error: torch.Tensor) -> torch.Tensor:
    """PSNR of images in [0, 1] from their errors."""
    return -10 * mse(error).log10()


def mistakes_of(then: Callable[[Formula], Answer]) -> dict[str, list[Answer]]:
    """Return the mistakes with the formula, as mistakes of an answer that applies it to the right errors."""
    return {hint: [then(formula) for formula in formulas] for hint, formulas in _MISTAKES.items()}


def with_ceiling(then: Callable[[Formula], Answer], smallest: float) -> list[Answer]:
    """Return answers that end at so many decibels, or add something tiny to the MSE, or keep it above that.

    `smallest` is the smallest MSE of the cases, on which all of these make a difference.
    """
    tiny = [1e-9, 1e-10, 1e-11, 1e-12, 1e-13]
    tops = [top for top in (90, 96, 99, 100, 110) if top < -10 * math.log10(smallest)]
    return [
        *(then(lambda error, top=top: decibels(error).clamp(max=top)) for top in tops),
        *(then(lambda error, eps=eps: -10 * (mse(error) + eps).log10()) for eps in tiny if eps > smallest / 50),
        *(then(lambda error, eps=eps: -10 * mse(error).clamp(min=eps).log10()) for eps in tiny if eps > smallest),
    ]


_MISTAKES: dict[str, list[Formula]] = {
    "The mean is taken before the square, so errors up and down make up for each other. Square each one first.": [
        lambda error: -10 * error.mean(-1).square().log10()
    ],
    "A decibel counts powers of ten. Which logarithm does your code take?": [lambda error: -10 * mse(error).log()],
    "A factor of 20 belongs to a root, 10 to what is squared. Which one goes into your logarithm?": [
        lambda error: -20 * mse(error).log10(),
        lambda error: -10 * mse(error).sqrt().log10(),
    ],
    "The squared errors were added up, so a larger image would score lower. What does the M in MSE stand for?": [
        lambda error: -10 * error.square().sum(-1).log10()
    ],
    "The error is that of absolute differences. The S in MSE stands for squared.": [
        lambda error: -10 * error.abs().mean(-1).log10(),
        lambda error: -20 * error.abs().mean(-1).log10(),
    ],
    "That is the RMSE, an error in units of the image. PSNR puts the MSE on a logarithmic scale.": [
        lambda error: mse(error).sqrt()
    ],
    "That is the MSE. PSNR puts it on a logarithmic scale.": [mse],
    "The size is right but the sign is not: a smaller error should give a larger value.": [
        lambda error: -decibels(error)
    ],
    "The value is off by 48.13 dB, or 20 log10(255): the peak of images in [0, 1] is not 255.": [
        lambda error: decibels(error) + 20 * math.log10(255)
    ],
    "The value is 48.13 dB too low, or 20 log10(255): the images are in levels from 0 to 255 here, but the peak is "
    "still 1. Either works, if both are in the same unit.": [lambda error: decibels(255 * error)],
}
