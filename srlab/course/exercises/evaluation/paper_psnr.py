"""Lab 05: the PSNR of one image as papers report it."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.decibels import Formula, decibels, mistakes_of
from srlab.data.images import full_range, luma, quantize
from srlab.evaluation.metrics import Protocol, psnr

Plane = Callable[[torch.Tensor], torch.Tensor]


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
    """Return SR between 8-bit levels and worse at the border, HR on the levels, and whether both are gray."""
    hr = quantize(sample(1, 3, 24, 32, low=low, high=high, seed=seed))
    error = strength * sample(1, 3, 24, 32, low=-1, seed=seed + 1) * torch.tensor([1.0, 0.5, -1.5]).view(3, 1, 1)
    error[..., :2, :] *= 3
    error[..., 2:4, :] *= 2
    error[..., 4:, -4:] *= 4
    if gray:
        hr, error = hr[:, :1].expand(1, 3, -1, -1).clone(), error[:, :1].expand(1, 3, -1, -1).clone()
    return hr + error, hr, gray


def _observe(answer: Answer, sr: torch.Tensor, hr: torch.Tensor, gray: bool) -> dict[str, Any]:
    before = sr.clone(), hr.clone()
    score = filled(answer(sr, hr, gray))
    if not (torch.equal(before[0], sr) and torch.equal(before[1], hr)):
        raise IncorrectAnswer("You changed the images that you were given. Make new ones instead of writing into them.")
    return {"the score in dB": take(score, 0.0)}


def _score(
    save: Plane = quantize,
    plane: Plane = luma,
    gray_plane: Plane = lambda image: image,
    crop: tuple[int, int] = (4, 4),
    formula: Formula = decibels,
    peak: Callable[[torch.Tensor], Any] = lambda _: 1.0,
) -> Answer:
    """Return a score with its parts right or wrong."""

    def answer(sr: torch.Tensor, hr: torch.Tensor, gray: bool = False) -> torch.Tensor:
        sr, hr = (gray_plane(image) if gray else plane(image) for image in (save(sr), quantize(hr)))
        first, last = crop
        height, width = sr.shape[-2:]
        error = (sr - hr)[..., first : height - last, first : width - last]
        return formula(error.flatten()) + 20 * torch.as_tensor(peak(hr)).log10()

    return answer


def _separately(sr: torch.Tensor, hr: torch.Tensor, gray: bool = False) -> torch.Tensor:
    """Return the mean of the decibels of the three channels."""
    error = (quantize(sr) - quantize(hr))[..., 4:-4, 4:-4]
    return decibels(error.flatten(2)).mean()


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
    observe=_observe,
    known_mistakes={
        "You compare all three channels of a color photo. Which one number per pixel do papers compare?": [
            _score(plane=lambda image: image),
            _separately,
        ],
        "You compare the mean of red, green and blue. The luma weighs them differently, because the eye does. Which "
        "function of srlab computes it?": _score(plane=lambda image: image.mean(1, keepdim=True)),
        "A gray photo gets about 1.3 dB too much. The luma of a file runs from 16 to 235 only. What does the rule for "
        "gray photos compare instead?": [
            _score(gray_plane=luma),
            _score(gray_plane=lambda image: luma(image).expand(-1, 3, -1, -1)),
        ],
        "You didn't crop the border, where padding counts in place of pixels.": _score(crop=(0, 0)),
        "You cropped only the top and the left side. What does a slice need so that it also leaves out the last "
        "pixels?": _score(crop=(4, 0)),
        "You cropped a border of another width. How many HR pixels is one LR pixel wide?": [
            _score(crop=(rim, rim)) for rim in (1, 2, 3, 5, 6, 8)
        ],
        "You don't round SR to 8 bits. A reader of your table would compute the score from files.": [
            _score(save=lambda image: image),
            _score(save=lambda image: image.clamp(0, 1)),
        ],
        "You rounded the luma. A file stores rounded RGB, so round before you take the luma.": [
            _score(save=lambda image: image.clamp(0, 1), plane=lambda image: quantize(luma(image))),
            _score(plane=lambda image: quantize(luma(image))),
        ],
        "You cut SR down to the next lower level instead of rounding it.": _score(
            save=lambda image: (255 * image.clamp(0, 1)).floor() / 255
        ),
        "Your luma runs from 0 to 255, or your peak is 219/255. In papers the luma runs from 16 to 235, and the peak "
        "is still 1.": [
            _score(plane=lambda image: full_range(luma(image))),
            _score(peak=lambda _: 219 / 255),
        ],
        "The peak is the largest value that an image can have, which is 1, and not the largest value in this one.": (
            _score(peak=lambda hr: hr.max())
        ),
        **mistakes_of(lambda formula: _score(formula=formula)),
    },
    also_accepted=[
        _score(),
        _score(gray_plane=lambda image: image[:, :1]),
        _score(gray_plane=lambda image: image.mean(1, keepdim=True)),
        lambda sr, hr, gray=False: psnr(sr, hr, Protocol(color="rgb" if gray else "y")).item(),
    ],
    tolerance=3e-3,
    hints=(
        "Four rules, four steps. In which order does a reader of your table meet them, who has only your files?",
        "srlab.quantize rounds to 8 bits, srlab.luma computes the luma, and [..., 4:-4, 4:-4] crops. Then PSNR as in "
        "lab 00.",
    ),
)
