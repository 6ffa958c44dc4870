"""Lab 00: PSNR."""

import torch

from srlab.course.exercise import Answer, Exercise, sample
from srlab.course.exercises.decibels import CEILING, Formula, mistakes_of, with_ceiling
from srlab.data.images import luma
from srlab.evaluation import metrics


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


def _mse(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    return (sr - hr).square().mean((1, 2, 3))


def _rounded(image: torch.Tensor) -> torch.Tensor:
    return (image * 255).round() / 255


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
        "no ceiling for an almost perfect image": (torch.full((1, 3, 16, 16), 1e-6), torch.zeros(1, 3, 16, 16), 0),
    },
    known_mistakes={
        "You return one number for a batch of three: all squared errors are averaged together, so the worst image "
        "drowns out the others. Which dimensions belong to one image?": (
            lambda sr, hr, crop: -10 * (sr - hr).square().mean().log10()
        ),
        "You return one number for a batch of three. Keep the images apart; the caller does the averaging.": (
            lambda sr, hr, crop: psnr(sr, hr, crop).mean()
        ),
        "A batch of N images needs N values. Which dimensions does your mean run over?": [
            lambda sr, hr, crop: -10 * (sr - hr).square().mean((2, 3)).log10(),
            lambda sr, hr, crop: -10 * (sr - hr).square().mean(1).log10(),
            lambda sr, hr, crop: -10 * (sr - hr).square().mean(0).log10(),
            lambda sr, hr, crop: -10 * (sr - hr).square().mean((1, 2, 3), keepdim=True).log10(),
        ],
        "With crop=0 your value is NaN. What does the slice 0:-0 leave of an image?": (
            lambda sr, hr, crop: -10 * _mse(sr[..., crop:-crop, crop:-crop], hr[..., crop:-crop, crop:-crop]).log10()
        ),
        "You scored luma, or values rounded to 8 bits, as papers do. Here all channels count, without rounding.": [
            lambda sr, hr, crop: psnr(luma(sr), luma(hr), crop),
            lambda sr, hr, crop: psnr(_rounded(sr), _rounded(hr), crop),
            lambda sr, hr, crop: psnr(_rounded(luma(_rounded(sr))), _rounded(luma(_rounded(hr))), crop),
            lambda sr, hr, crop: metrics.psnr(sr, hr),
        ],
        "You compute a PSNR per channel and average these. The mean of the logarithms is not the logarithm of the "
        "mean. Average all squared errors of an image first.": (
            lambda sr, hr, crop: -10 * (sr - hr).square().mean((2, 3)).log10().mean(1)
        ),
        "Your value depends on how bright the image is. The peak is the largest value that an image can have, not the "
        "largest value in this one.": [
            lambda sr, hr, crop: psnr(sr, hr, crop) + 20 * hr.max().log10(),
            lambda sr, hr, crop: psnr(sr, hr, crop) + 20 * hr.amax((1, 2, 3)).log10(),
        ],
        "With crop=4 you get the same value as with crop=0, so the border still counts. Where does your code use "
        "`crop`?": lambda sr, hr, crop: psnr(sr, hr, 0),
        "You always crop the same border, whatever `crop` is. Is there a number in your code that should be `crop`?": [
            lambda sr, hr, crop, fixed=fixed: psnr(sr, hr, fixed) for fixed in (2, 3, 4)
        ],
        "Some of the border still counts. An image has four sides: remove `crop` pixels from each of them.": [
            lambda sr, hr, crop: psnr(sr[..., crop:, crop:], hr[..., crop:, crop:], 0),
            lambda sr, hr, crop: psnr(sr[..., crop : 16 - crop, :], hr[..., crop : 16 - crop, :], 0),
            lambda sr, hr, crop: psnr(sr, hr, crop // 2),
        ],
        **mistakes_of(_then),
    },
    also_accepted=[
        lambda sr, hr, crop: psnr(sr, hr, crop).float(),
        lambda sr, hr, crop: (
            -20 * (sr - hr)[..., crop : -crop or None, crop : -crop or None].flatten(1).square().mean(1).sqrt().log10()
        ),
    ],
    notes={CEILING: with_ceiling(_then, smallest=1e-12)},
    fallback_messages={
        "no ceiling for an almost perfect image": "For an error of one millionth, PSNR is 120 dB, but you get {given}. "
        "Do you add something small to the MSE, or clamp it? With 1e-8, even good images never exceed 80 dB; 1e-10 or "
        "less does no harm.",
    },
    tolerance=0.01,
    hints=(
        "PSNR compares the mean squared error of one image with the largest value that a pixel can have.",
        "Crop the border off both images first. Then average the squared difference over every dimension but the "
        "first. Then take 10 log10 of 1 over it.",
    ),
)
