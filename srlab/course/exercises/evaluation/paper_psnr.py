"""Lab 05: PSNR as papers report it."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise, sample
from srlab.course.exercises.decibels import CEILING, Formula, mistakes_of, mse, with_ceiling
from srlab.course.exercises.degradation.psnr import psnr
from srlab.data.images import luma, quantize, to_uint8
from srlab.evaluation import metrics


def paper_psnr(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Return the PSNR of one image as super-resolution papers report it for x4.

    Both images are rounded to the 8-bit levels of a file, converted to BT.601 luma in studio range, and cropped by
    4 pixels on each side; the rest is ``10 log10(1 / MSE)``.

    Parameters
    ----------
    sr, hr
        ``(1, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        ``()``, decibels.
    """
    sr, hr = (luma(quantize(image))[..., 4:-4, 4:-4] for image in (sr, hr))
    mse = (sr - hr).square().mean()
    return 10 * (1 / mse).log10()


def _alternating() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images on 8-bit levels, with a color error that is larger in every other row and column.

    Cropping and rounding RGB make no difference, but the decibels of single rows, columns or pixels do.
    """
    hr = quantize(sample(1, 3, 32, 40, low=0.2, high=0.8))
    strength = torch.tensor([[1.0, 2], [2, 4]]).repeat(16, 20)
    return quantize(hr + strength * torch.tensor([12.0, 5, -9]).view(3, 1, 1) / 255), hr


def _bad_border() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images on 8-bit levels, with a larger error at the border, different on each side."""
    hr = quantize(sample(1, 3, 32, 40, low=0.2, high=0.8))
    strength = torch.full((32, 40), 0.05)
    strength[:4], strength[-4:], strength[:, :4], strength[:, -4:] = 0.1, 0.14, 0.2, 0.3
    strength[8:-8, 8:-8] = 0.02
    return quantize(hr + strength * sample(1, 3, 32, 40, low=-1, seed=1)), hr


def _between_levels() -> tuple[torch.Tensor, torch.Tensor]:
    """Return SR about half a level from HR, neither on levels, so that rounding only one of them shows."""
    hr = sample(1, 3, 32, 40, low=0.2, high=0.8)
    return hr + 1.2 / 255 * sample(1, 3, 32, 40, low=-1, seed=1), hr


def _one_level() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images that differ by one level of blue in one pixel: 104.4 dB."""
    hr = quantize(sample(1, 3, 72, 72, low=0.2, high=0.8))
    sr = hr.clone()
    sr[0, 2, 30, 30] += 1 / 255
    return sr, hr


def _on(plane: Callable[[torch.Tensor], torch.Tensor], crop: int = 4) -> Answer:
    """Return an answer that scores something other than the luma of rounded images, or crops differently."""
    return lambda sr, hr: psnr(plane(sr), plane(hr), crop)[0]


def _then(formula: Formula) -> Answer:
    """Return an answer that applies a different formula to the correct errors."""
    return lambda sr, hr: formula((_luma(sr) - _luma(hr))[..., 4:-4, 4:-4].flatten())


def _luma(image: torch.Tensor) -> torch.Tensor:
    return luma(quantize(image))


def _bytes(image: torch.Tensor) -> torch.Tensor:
    return to_uint8(image)[..., 4:-4, 4:-4]


def _by_hand(image: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1) / 255
    return ((image * 255).round() / 255 * weights).sum(1)[:, 4:-4, 4:-4] + 16 / 255


def _full_range(image: torch.Tensor) -> torch.Tensor:
    return (quantize(image) * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)


EXERCISE = Exercise(
    paper_psnr,
    level="medium",
    points=4,
    cases={
        "10 log10(1 / MSE) on the luma of BT.601": _alternating(),
        "4 pixels cropped on each side": _bad_border(),
        "rounded to 8-bit levels": _between_levels(),
        "no ceiling for an almost perfect image": _one_level(),
    },
    known_mistakes={
        "You return one score per photo of a batch, as srlab.psnr does. Return one number. If you called srlab.psnr, "
        "compute PSNR from the MSE instead: the next cell compares the two.": (lambda sr, hr: metrics.psnr(sr, hr)),
        "srlab.psnr already rounds, takes the luma and crops, so with your own steps before it they happen twice.": (
            lambda sr, hr: metrics.psnr(_luma(sr)[..., 4:-4, 4:-4], _luma(hr)[..., 4:-4, 4:-4])[0]
        ),
        "You averaged the decibels of parts of the image. Take one MSE over all pixels, and then the logarithm, "
        "once.": [
            _then(lambda error: -10 * error.view(24, 32).square().mean(-1).log10().mean()),
            _then(lambda error: -10 * error.view(24, 32).square().mean(-2).log10().mean()),
            _then(lambda error: -10 * error.square().log10().mean()),
        ],
        "You measure all three channels. Papers report only the luma, where color errors hardly count.": [
            _on(quantize),
            lambda sr, hr: torch.stack([psnr(sr[:, [c]], hr[:, [c]], 4) for c in range(3)]).mean(),
        ],
        "Your value is 1.32 dB too low, or 20 log10(255 / 219). Either your luma runs from 0 to 1 (in papers 16/255 to "
        "235/255, so errors are smaller), or your peak is 219/255. Papers use a peak of 1.": _on(_full_range),
        "Your luma doesn't have the weights of BT.601. srlab.luma has them.": _on(
            lambda image: (quantize(image) * torch.tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1)).sum(1, keepdim=True)
        ),
        "8-bit numbers have no negative values: a difference below 0 wraps around to near 255. Convert to float "
        "first.": (lambda sr, hr: -10 * ((_bytes(sr) - _bytes(hr)).float() / 255).square().mean().log10()),
        "The mean of R, G and B is not the luma: the eye sees green as much brighter than blue.": _on(
            lambda image: quantize(image).mean(1, keepdim=True)
        ),
        "You count the border. Its pixels depend on how an upscaler continues beyond the image, so papers crop it. How "
        "many pixels do papers leave out for x4?": _on(_luma, 0),
        "Some of the border still counts. An image has four sides: remove 4 pixels from each of them.": [
            _on(lambda image: _luma(image)[..., 4:, 4:], 0),
            _on(lambda image: _luma(image)[..., :-4, :-4], 0),
            _on(lambda image: _luma(image)[..., 4:-4, :], 0),
            _on(lambda image: _luma(image)[..., 4:-4], 0),
        ],
        "You cropped only one of the two images, so they differ in size. Do the same to both.": [
            lambda sr, hr: psnr(_luma(sr)[..., 4:-4, 4:-4], _luma(hr), 0)[0],
            lambda sr, hr: (_luma(sr)[..., 4:-4, 4:-4] - _luma(hr)).square().mean(),
        ],
        "You crop a different number of pixels on each side. For x4 it is as many as the scale.": [
            _on(_luma, crop) for crop in (2, 3, 5, 6, 8)
        ],
        "Your value is NaN, the mean over no pixels. Images are (1, 3, H, W). Which two of these four axes does your "
        "slice from 4 to -4 cut?": lambda sr, hr: psnr(_luma(sr)[:, 4:-4, 4:-4], _luma(hr)[:, 4:-4, 4:-4], 0)[0],
        "You didn't round the images to 8-bit levels, so this is the PSNR of an image that no file can store. Which "
        "srlab helper rounds?": _on(luma),
        "You rounded only one of the two images. Either may be between the 8-bit levels of a file when it comes in, so "
        "round both.": [
            lambda sr, hr: psnr(luma(sr), _luma(hr), 4)[0],
            lambda sr, hr: psnr(_luma(sr), luma(hr), 4)[0],
        ],
        "You truncated instead of rounding: converting to an integer type drops the fractional part.": _on(
            lambda image: luma((image * 255).floor() / 255)
        ),
        "You round the luma. A file stores rounded RGB; the luma that you compute from it stays unrounded.": [
            _on(lambda image: quantize(_luma(image))),
            _on(lambda image: quantize(luma(image))),
        ],
        "The peak is the largest value that an image can have, which is 1, not the largest value in this HR.": [
            lambda sr, hr: paper_psnr(sr, hr) + 20 * hr.max().log10(),
            lambda sr, hr: paper_psnr(sr, hr) + 20 * _luma(hr).max().log10(),
            lambda sr, hr: paper_psnr(sr, hr) + 20 * _luma(hr)[..., 4:-4, 4:-4].max().log10(),
        ],
        "You add something small to the error, or clamp it: with 1e-8, no image exceeds 80 dB. What do you lose "
        "without it?": [
            *(_then(lambda error, eps=eps: -10 * (mse(error) + eps).log10()) for eps in (1e-4, 1e-6, 1e-8)),
            _then(lambda error: -10 * mse(error).clamp(min=1e-8).log10()),
            _then(lambda error: -20 * (mse(error).sqrt() + 1e-8).log10()),
        ],
        **mistakes_of(_then),
    },
    also_accepted=[
        _then(lambda error: -20 * mse(error).sqrt().log10()),
        lambda sr, hr: -10 * (_by_hand(sr) - _by_hand(hr)).square().mean().log10(),
    ],
    notes={CEILING: with_ceiling(_then, smallest=3.6e-11)},
    fallback_messages={
        "no ceiling for an almost perfect image": "With one wrong level in one pixel, PSNR is 104.4 dB, but you get "
        "{given}. Do you add something small to the MSE, or clamp it? 1e-10 or less does no harm."
    },
    tolerance=5e-3,  # float32 is off by 1e-3 dB where one pixel differs
    hints=(
        "Three things happen to both images before you compare them: they become what a file would store, then luma, "
        "then you crop the border.",
        "srlab.quantize rounds and srlab.luma weights the colors. A slice from 4 to -4 crops one dimension.",
    ),
)
