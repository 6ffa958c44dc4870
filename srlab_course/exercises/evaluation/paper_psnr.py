"""Lab 05: the PSNR of one image as papers report it."""

from typing import Any

import torch

from srlab.data.images import luma, quantize
from srlab_course.exercises.psnr_mistakes import Formula, mistakes_of
from srlab_course.feedback.exercise import Answer, Exercise, sample


def paper_psnr(sr: torch.Tensor, hr: torch.Tensor, gray: bool = False) -> torch.Tensor:
    """Return the PSNR of one SR image as super-resolution papers report it for x4.

    Both images are rounded to 8 bits. Their BT.601 luma is compared without a border of 4 pixels, and the peak is 1. A
    gray photo has no color to leave out, so its values are compared as they are.

    Parameters
    ----------
    sr, hr
        ``(1, 3, H, W)``; HR in [0, 1], SR not yet rounded.
    gray
        Whether the photo is gray.

    Returns
    -------
    torch.Tensor
        ``()``, decibels.
    """
    sr, hr = quantize(sr), quantize(hr)
    if not gray:
        sr, hr = luma(sr), luma(hr)
    error = (sr - hr)[..., 4:-4, 4:-4]
    return -10 * error.square().mean().log10()


def _scene(strength: float, low: float, high: float, seed: int, gray: bool = False) -> tuple[Any, ...]:
    """Return SR between 8-bit levels and worse at the border, HR on the levels, and whether HR is gray."""
    hr = quantize(sample(1, 3, 24, 32, low=low, high=high, seed=seed))
    error = strength * sample(1, 3, 24, 32, low=-1, seed=seed + 1) * torch.tensor([1.0, 0.5, -1.5]).view(3, 1, 1)
    error[..., :2, :] *= 3
    error[..., 2:4, :] *= 2
    error[..., 4:, -4:] *= 4
    if gray:  # SR still has a color cast
        hr = hr[:, :1].expand(1, 3, -1, -1).clone()
    return hr + error, hr, gray


def _then(formula: Formula) -> Answer:
    """Return an answer that applies a different formula to the correct errors."""

    def answer(sr: torch.Tensor, hr: torch.Tensor, gray: bool = False) -> torch.Tensor:
        sr, hr = (quantize(image) if gray else luma(quantize(image)) for image in (sr, hr))
        return formula((sr - hr)[..., 4:-4, 4:-4].flatten())

    return answer


EXERCISE = Exercise(
    paper_psnr,
    level="medium",
    points=3,
    cases={
        "a color photo": _scene(0.05, 0.05, 0.55, 0),
        "SR close to HR": _scene(0.004, 0.2, 0.8, 9),
        "SR with values below 0 and above 1": _scene(0.06, 0.0, 1.0, 3),
        "a gray photo": _scene(0.05, 0.1, 0.7, 5, gray=True),
    },
    known_mistakes=mistakes_of(_then),
    tolerance=3e-3,
)
