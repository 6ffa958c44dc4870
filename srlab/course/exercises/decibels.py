"""Common mistakes with the formula ``-10 log10(MSE)``, for the exercises about PSNR."""

import math
from collections.abc import Callable

import torch

from srlab.course.exercise import Answer

Formula = Callable[[torch.Tensor], torch.Tensor]  # errors (..., pixels) -> (...)
CEILING = (
    "Your PSNR has a ceiling: it is clamped, or something tiny is added to the MSE. Many tools do this to avoid "
    "infinity for identical images. No score in this course gets near it, so your answer passes."
)


def mse(error: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each row."""
    return error.square().mean(-1)


def decibels(error: torch.Tensor) -> torch.Tensor:
    """Return the PSNR of images in [0, 1] from their errors."""
    return -10 * mse(error).log10()


def mistakes_of(then: Callable[[Formula], Answer]) -> dict[str, list[Answer]]:
    """Return the mistakes with the formula, as answers that apply it to the correct errors."""
    return {hint: [then(formula) for formula in formulas] for hint, formulas in _MISTAKES.items()}


def with_ceiling(then: Callable[[Formula], Answer], smallest: float) -> list[Answer]:
    """Return answers that clamp the PSNR, add something tiny to the MSE, or clamp the MSE from below.

    `smallest` is the smallest MSE of the cases; every returned answer makes a difference there.
    """
    tiny = [1e-9, 1e-10, 1e-11, 1e-12, 1e-13]
    tops = [top for top in (90, 96, 99, 100, 110) if top < -10 * math.log10(smallest)]
    return [
        *(then(lambda error, top=top: decibels(error).clamp(max=top)) for top in tops),
        *(then(lambda error, eps=eps: -10 * (mse(error) + eps).log10()) for eps in tiny if eps > smallest / 50),
        *(then(lambda error, eps=eps: -10 * mse(error).clamp(min=eps).log10()) for eps in tiny if eps > smallest),
    ]


_MISTAKES: dict[str, list[Formula]] = {
    "You take the mean before the square, so positive and negative errors cancel. Square each one first.": [
        lambda error: -10 * error.mean(-1).square().log10()
    ],
    "A decibel counts powers of ten. Which logarithm does your code use?": [lambda error: -10 * mse(error).log()],
    "The factor is 20 for a root and 10 for a squared quantity. Which of them goes into your logarithm?": [
        lambda error: -20 * mse(error).log10(),
        lambda error: -10 * mse(error).sqrt().log10(),
    ],
    "You summed the squared errors, so a larger image scores lower. What does the M in MSE stand for?": [
        lambda error: -10 * error.square().sum(-1).log10()
    ],
    "You used absolute differences. The S in MSE stands for squared.": [
        lambda error: -10 * error.abs().mean(-1).log10(),
        lambda error: -20 * error.abs().mean(-1).log10(),
    ],
    "That is the RMSE, an error in the units of the image. PSNR puts the MSE on a logarithmic scale.": [
        lambda error: mse(error).sqrt()
    ],
    "That is the MSE. PSNR puts it on a logarithmic scale.": [mse],
    "The size is correct but the sign is not: a smaller error should give a larger value.": [
        lambda error: -decibels(error)
    ],
    "The value is off by 48.13 dB, or 20 log10(255). The peak of images in [0, 1] is not 255.": [
        lambda error: decibels(error) + 20 * math.log10(255)
    ],
    "The value is 48.13 dB too low, or 20 log10(255). Your images are in gray levels from 0 to 255, but your peak is "
    "still 1. Either scale works if both use it.": [lambda error: decibels(255 * error)],
}
