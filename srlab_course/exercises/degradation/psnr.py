"""Lab 00: PSNR."""

import torch

from srlab_course.exercises.psnr_mistakes import Formula, mistakes_of
from srlab_course.feedback.exercise import Answer, Exercise, sample


def psnr(sr: torch.Tensor, hr: torch.Tensor, crop: int) -> torch.Tensor:
    """Return the PSNR of each image, ``10 log10(1 / MSE)``, after removing `crop` border pixels on each side.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)`` in [0, 1].
    crop
        Border width in pixels.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels.
    """
    height, width = sr.shape[-2:]
    error = (sr - hr)[..., crop : height - crop, crop : width - crop]
    return -10 * error.double().square().mean((1, 2, 3)).log10()


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Return SR and HR, ``(3, 3, 16, 20)``: HR below 0.9; noise by image and channel, doubled at the border."""
    hr = sample(3, 3, 16, 20, low=0.1, high=0.9)
    strength = torch.tensor([0.02, 0.05, 0.1]).view(3, 1, 1, 1) * torch.tensor([1.0, 0.4, 0.7]).view(1, 3, 1, 1)
    strength = strength.repeat(1, 1, 16, 20)
    strength[..., 4:-4, 4:-4] /= 2
    return hr + strength * sample(3, 3, 16, 20, low=-1, seed=1), hr


def _then(formula: Formula) -> Answer:
    """Return an answer that applies a different formula to the errors of each image."""
    return lambda sr, hr, crop: formula((sr - hr)[..., crop : -crop or None, crop : -crop or None].flatten(1))


EXERCISE = Exercise(
    psnr,
    level="medium",
    points=3,
    cases={
        "10 log10(1 / MSE), with the MSE of each image": (*_pair(), 0),
        "a border is cropped": (*_pair(), 4),
        "no ceiling for an almost perfect image": (torch.full((1, 3, 16, 16), 1e-3), torch.zeros(1, 3, 16, 16), 0),
    },
    known_mistakes=mistakes_of(_then),
    tolerance=0.01,
)
