"""Exercises of lab 05: PSNR as papers report it; and those of the parts named at the end."""

import math
from collections.abc import Callable, Sequence

import torch

from srlab.data.images import luma, quantize
from srlab.exercises import _energy, _gain, _mixing, _opinions, _tiles
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, near, sample, tensor
from srlab.exercises.degradation.psnr import psnr

Pair = tuple[torch.Tensor, torch.Tensor]

# --- PSNR as papers report it -------------------------------------------------------------------------------


def paper_psnr(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """PSNR of one image as super-resolution papers report it for x4.

    Both images are rounded to the 8-bit levels of a file, turned into BT.601 luma of the studio range, and cropped
    by 4 pixels on each side; the rest is ``10 log10(1 / MSE)``.

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


def _full_range(rgb: torch.Tensor) -> torch.Tensor:
    return (rgb * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)


def _paper_mistakes(sr: torch.Tensor, hr: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Hints and the values that they belong to, for one pair: what is measured on, then how."""
    levels = quantize(sr), quantize(hr)
    y = luma(levels[0]), luma(levels[1])
    core = (..., slice(4, -4), slice(4, -4))
    error = (y[0] - y[1])[core]
    wanted = -10 * error.square().mean().log10()

    def on(pair: Sequence[torch.Tensor], crop: int = 4) -> torch.Tensor:
        return psnr(pair[0], pair[1], crop)[0]

    def twice(function: Callable[[torch.Tensor], torch.Tensor]) -> Pair:
        return function(sr), function(hr)

    rgb = "All three channels are measured. Papers report the luma alone, where errors of colour hardly count."
    four = "Some of the border still counts. An image has four sides, and 4 pixels go from each of them."
    unrounded = (
        "The images were not rounded to 8-bit levels, so this is the PSNR of a picture that no file could hold. Which "
        "helper of srlab rounds?"
    )
    both = "Either may lie between the 8-bit levels of a file when it comes in, so both are rounded."
    cut_off = "The levels were cut off, not rounded: a conversion to integers drops what is behind the point."
    after = (
        "The luma is rounded here. It is RGB that is saved in a file; the luma is computed from it and stays as it is."
    )
    peak = "The peak is the largest value that an image can take, which is 1, and not the largest that this HR has."
    return [
        (rgb, on(levels)),
        (rgb, sum(on((levels[0][:, c : c + 1], levels[1][:, c : c + 1])) for c in range(3)) / 3),
        (
            "The value is 1.32 dB too low: this luma runs from 0 to 1. The one of the papers has its black at 16/255 "
            "and its white at 235/255, which makes every error smaller.",
            on([_full_range(image) for image in levels]),
        ),
        (
            "The mean of R, G and B is no luma: the eye sees green as much brighter than blue.",
            on([image.mean(1, keepdim=True) for image in levels]),
        ),
        (
            "The border counts too. What is there depends on how an upscaler goes on beyond the image, so papers cut "
            "it off. How many pixels do papers leave out for x4?",
            on(y, 0),
        ),
        (four, on([plane[..., 4:, 4:] for plane in y], 0)),
        (four, on([plane[..., :-4, :-4] for plane in y], 0)),
        (four, on([plane[..., 4:-4, :] for plane in y], 0)),
        (four, on([plane[..., :, 4:-4] for plane in y], 0)),
        *(
            (f"{crop} pixels are cropped on each side. For x4 it is as many as the scale.", on(y, crop))
            for crop in (2, 3, 5, 6, 8)
        ),
        (unrounded, on(twice(luma))),
        (f"Only HR was rounded. {both}", on((luma(sr), y[1]))),
        (f"Only SR was rounded. {both}", on((y[0], luma(hr)))),
        (cut_off, on(twice(lambda image: luma((image * 255).floor() / 255)))),
        (after, on([quantize(plane) for plane in y])),
        (after, on(twice(lambda image: quantize(luma(image))))),
        (peak, wanted + 20 * hr.max().log10()),
        (peak, wanted + 20 * levels[1].max().log10()),
        (peak, wanted + 20 * y[1][core].max().log10()),
        (peak, wanted + 20 * y[1].max().log10()),
        *_small(error.square().mean()),
        ("A decibel counts powers of ten. Which logarithm does your code take?", math.log(10) * wanted),
        ("A factor of 20 belongs to a root, 10 to what is squared. Which one goes into your logarithm?", 2 * wanted),
        ("A factor of 20 belongs to a root, 10 to what is squared. Which one goes into your logarithm?", wanted / 2),
        (
            "The squared errors were added up, so a larger image would score lower. What does the M in MSE stand for?",
            -10 * error.square().sum().log10(),
        ),
        (
            "The squared errors were added up. What does the M in MSE stand for?",
            -10 * (y[0] - y[1]).square().sum().log10(),
        ),
        (
            "That is the RMSE, an error in units of the image. PSNR puts the MSE on a logarithmic scale.",
            error.square().mean().sqrt(),
        ),
        ("That is the MSE. PSNR puts it on a logarithmic scale.", error.square().mean()),
        ("That is an error, and PSNR turns it round: the smaller the error, the higher.", -wanted),
        (
            "The value is off by 48.13 dB, which is 20 log10(255): the peak of images in [0, 1] is not 255.",
            wanted + 20 * math.log10(255),
        ),
    ]


def _small(mse: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """What comes out when the MSE is kept away from 0 by a small constant, in one of the ways that people write."""
    found = []
    for power in range(3, 13):
        small = 10.0**-power
        hint = (
            f"Something small is added to the error, or holds it above a floor. With 1e-{power} on the MSE no image "
            f"gets past {10 * power} dB. What is lost if it goes?"
        )
        ways = (mse + small, mse.clamp(min=small), (mse.sqrt() + small).square())
        found += [(hint, -10 * way.log10()) for way in ways if not near(way / mse, 1.0, 1e-3)]
    return found


def _paper(pair: Callable[[], Pair], otherwise: str) -> Answer:
    def step(answer: Answer) -> None:
        (sr, hr), (given_sr, given_hr) = pair(), pair()
        result = tensor(answer(given_sr, given_hr), (), "One image has one value.")
        if not (torch.equal(sr, given_sr) and torch.equal(hr, given_hr)):
            raise Wrong("An image that came in was changed in place. The lab goes on using it.")
        if result.isnan():
            raise Wrong(
                "The value is NaN, as the mean over no pixels is. Images are (1, 3, H, W): which two of these four "
                "axes does your slice from 4 to -4 cut?"
            )
        compare(result, paper_psnr(sr, hr), _paper_mistakes(sr, hr), otherwise, tolerance=1e-3)

    return step


def _same_everywhere() -> Pair:
    """On 8-bit levels, with one error of colour in all pixels: no crop and no rounding of RGB makes a difference."""
    hr = quantize(sample(1, 3, 32, 40, low=0.2, high=0.8))
    return quantize(hr + torch.tensor([12.0, 5, -9]).view(3, 1, 1) / 255), hr


def _bad_border() -> Pair:
    """On 8-bit levels, with a larger error at the border, differently on each side."""
    hr = quantize(sample(1, 3, 32, 40, low=0.2, high=0.8))
    strength = torch.full((32, 40), 0.05)
    strength[:4], strength[-4:], strength[:, :4], strength[:, -4:] = 0.1, 0.14, 0.2, 0.3
    strength[8:-8, 8:-8] = 0.02
    return quantize(hr + strength * sample(1, 3, 32, 40, low=-1, seed=1)), hr


def _between_levels() -> Pair:
    """SR about half a level from HR, and neither on levels: to round only one of them shows."""
    hr = sample(1, 3, 32, 40, low=0.2, high=0.8)
    return hr + 1.2 / 255 * sample(1, 3, 32, 40, low=-1, seed=1), hr


def _one_level() -> Pair:
    """Equal but for one level of blue in one pixel: about 105 dB."""
    hr = quantize(sample(1, 3, 72, 72, low=0.2, high=0.8))
    sr = hr.clone()
    sr[0, 2, 30, 30] += 1 / 255
    return sr, hr


EXERCISES = {
    "evaluation.paper_psnr": Exercise(
        paper_psnr,
        (
            ("10 log10(1 / MSE) on the luma of BT.601", _paper(_same_everywhere, "One error of colour in all pixels:")),
            ("4 pixels less on each side", _paper(_bad_border, "With a larger error at the border:")),
            ("rounded to the levels of a file", _paper(_between_levels, "With errors of about one level:")),
            ("no ceiling for an almost perfect image", _paper(_one_level, "With one wrong level in one pixel:")),
        ),
        "medium",
        (
            "Three things happen to both images before they are compared: they become what a file would hold, then "
            "luma, then the border goes.",
            "srlab.quantize rounds and srlab.luma weighs the colours. A slice from 4 to -4 crops one dimension.",
        ),
    ),
    **_tiles.EXERCISES,
    **_energy.EXERCISES,
    **_gain.EXERCISES,
    **_mixing.EXERCISES,
    **_opinions.EXERCISES,
}
