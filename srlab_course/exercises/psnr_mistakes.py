"""Common mistakes with the formula ``-10 log10(MSE)``, for the exercises about PSNR."""

import math
from collections.abc import Callable

import torch

from srlab_course.feedback.exercise import Answer, Mistake

Formula = Callable[[torch.Tensor], torch.Tensor]  # errors (..., pixels) -> (...)


def mistakes_of(then: Callable[[Formula], Answer]) -> list[Mistake]:
    """Return the mistakes with the formula, as answers that apply it to the correct errors."""
    return [Mistake(name, hint, [then(formula) for formula in formulas]) for name, hint, formulas in _MISTAKES]


def _mse(error: torch.Tensor) -> torch.Tensor:
    return error.square().mean(-1)


_MISTAKES: list[tuple[str, str, list[Formula]]] = [
    (
        "mean before square",
        "You take the mean before the square, so positive and negative errors cancel. Square each one first.",
        [lambda error: -10 * error.mean(-1).square().log10()],
    ),
    (
        "another logarithm",
        "A decibel counts powers of ten. Which logarithm does your code use?",
        [lambda error: -10 * _mse(error).log(), lambda error: -10 * _mse(error).log2()],
    ),
    (
        "factor of the root",
        "The factor is 20 for a root and 10 for a squared quantity. Which of them goes into your logarithm?",
        [lambda error: -20 * _mse(error).log10(), lambda error: -10 * _mse(error).sqrt().log10()],
    ),
    (
        "sum of squares",
        "You summed the squared errors, so a larger image scores lower. What does the M in MSE stand for?",
        [lambda error: -10 * error.square().sum(-1).log10()],
    ),
    (
        "absolute errors",
        "You used absolute differences. The S in MSE stands for squared.",
        [lambda error: -10 * error.abs().mean(-1).log10(), lambda error: -20 * error.abs().mean(-1).log10()],
    ),
    (
        "rmse",
        "That is the RMSE, an error in the units of the image. PSNR puts the MSE on a logarithmic scale.",
        [lambda error: _mse(error).sqrt()],
    ),
    ("mse", "That is the MSE. PSNR puts it on a logarithmic scale.", [_mse]),
    (
        "flipped sign",
        "The size is correct but the sign is not: a smaller error should give a larger value.",
        [lambda error: 10 * _mse(error).log10()],
    ),
    (
        "peak of 255",
        "The value is off by 48.13 dB, or 20 log10(255). The peak of images in [0, 1] is not 255.",
        [lambda error: 20 * math.log10(255) - 10 * _mse(error).log10()],
    ),
    (
        "images of 255",
        "The value is 48.13 dB too low, or 20 log10(255). Your images are in gray levels from 0 to 255, but your peak "
        "is still 1. Either scale works if both use it.",
        [lambda error: -10 * _mse(255 * error).log10()],
    ),
]
