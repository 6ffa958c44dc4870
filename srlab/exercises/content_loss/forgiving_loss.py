"""Lab 02: a loss of one's own that minds a blur more than a shift."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.datasets import photos
from srlab.data.degradation import blur
from srlab.exercises import Answer, Exercise
from srlab.exercises.difference import take
from srlab.exercises.networks import reaches


def forgiving_loss(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compare how busy two images are, cell by cell of 8 x 8 pixels, instead of pixel by pixel.

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        ``()``, 0 for equal images and never less, with a graph that leads to `sr`.
    """
    busy = []
    for image in (sr, hr):
        steps = (image[..., 1:] - image[..., :-1]).abs()
        busy.append(F.avg_pool2d(steps, 8))
    return F.mse_loss(*busy)


@cache
def _spoiled(name: str, top: int, left: int) -> tuple[torch.Tensor, ...]:
    """A crop of a photo; one pixel further right; blurred as much as it takes for the same squared error; and more."""
    photo = photos("validation")[name][..., top : top + 96, left : left + 144]
    shifted = photo[..., (torch.arange(144) - 1).clamp(min=0)]
    low, high = 0.0, 8.0
    for _ in range(20):
        sigma = (low + high) / 2
        less = F.mse_loss(blur(photo, sigma), photo) < F.mse_loss(shifted, photo)
        low, high = (sigma, high) if less else (low, sigma)
    return photo, shifted, blur(photo, sigma), blur(photo, 2 * sigma)


def _copies(*crop: Any) -> tuple[torch.Tensor, ...]:
    """Images that an answer may spoil without spoiling the next check."""
    return tuple(image.clone() for image in _spoiled(*crop))


def _observe(answer: Answer, photo: torch.Tensor, *spoiled: torch.Tensor) -> dict[str, Any]:
    equal, shifted, blurred, more = (float(take(answer(x, photo), 0.0)) for x in (photo, *spoiled))
    sharper = float(take(answer(photo, spoiled[1]), 0.0))
    sr = spoiled[1].requires_grad_() + 0  # a picture that was made, as by G
    return {
        "equal pictures cost nothing": abs(equal) <= 1e-4 * abs(blurred),
        "a blur costs something": "yes" if blurred > 0 else "less than nothing" if blurred < 0 else "nothing",
        "nothing costs less than nothing": sharper >= -1e-4 * abs(blurred),
        # The ratio tells mistakes apart, whatever factor they have.
        "a shift costs less than half of the blur": "yes"
        if shifted < blurred / 2
        else f"{shifted / (blurred or math.inf):.4g} times",
        "more blur costs more": more > blurred,
        "the gradient reaches SR": reaches(torch.as_tensor(answer(sr, photo)), [sr]),
    }


def _of(feature: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
    return lambda sr, hr: F.mse_loss(feature(sr), feature(hr))


def _steps(image: torch.Tensor) -> torch.Tensor:
    return (image[..., 1:] - image[..., :-1]).abs()


def _best_shift(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    wanted = hr[..., 3:-3]
    return torch.stack([F.mse_loss(sr[..., 3 + d : sr.shape[-1] - 3 + d], wanted) for d in range(-3, 4)]).min()


EXERCISE = Exercise(
    forgiving_loss,
    level="hard",
    cases={
        "the astronaut's face": lambda: _copies("astronaut", 48, 168),
        "the cat's eye": lambda: _copies("chelsea", 80, 120),
    },
    observe=_observe,
    mistakes={
        "A loss is one number; this is one for each pixel or picture. What is usually made of many numbers?": [
            lambda sr, hr: (sr - hr).square(),
            lambda sr, hr: (_steps(sr) - _steps(hr)).square(),
            lambda sr, hr: (_steps(sr).mean((1, 2, 3)) - _steps(hr).mean((1, 2, 3))).square(),
        ],
        "This compares the pixels at each place, as PSNR does, so a shift is as bad as the blur. Ask something of a "
        "neighbourhood instead, such as how much its pixels differ from each other.": [
            F.mse_loss,
            F.l1_loss,
            _of(lambda x: x.mean(1, keepdim=True)),
        ],
        "What is averaged here is brightness, and a blur leaves the brightness of a neighbourhood as it is. What does "
        "a blur take away? Measure that, and then average.": [
            _of(lambda x: F.avg_pool2d(x, 2)),
            _of(lambda x: F.avg_pool2d(x, 4)),
            _of(lambda x: F.avg_pool2d(x, 8)),
        ],
        "The steps between neighbours are what a blur takes away, so that's a good start. But they're compared place "
        "by place, and a shift moves every one of them. Average them over a neighbourhood first.": [
            _of(_steps),
            _of(lambda x: x[..., 1:] - x[..., :-1]),
            lambda sr, hr: F.l1_loss(_steps(sr), _steps(hr)),
        ],
        "The steps keep their signs, and in a neighbourhood up and down cancel. Take their size before the average.": (
            _of(lambda x: F.avg_pool2d(x[..., 1:] - x[..., :-1], 8))
        ),
        "It costs nothing whatever SR looks like. Are both pictures looked at?": [
            lambda sr, hr: sr.sum() * 0,
            lambda sr, hr: F.mse_loss(sr, sr),
        ],
        "Equal pictures don't cost 0. The loss says something of SR alone; compare it with the same of HR.": [
            lambda sr, hr: _steps(sr).mean(),
            lambda sr, hr: 1 - _steps(sr).mean(),
        ],
        "A blurred picture gets a loss below 0, less than a perfect one. Which sign, or which square, is missing?": (
            lambda sr, hr: _steps(sr).mean() - _steps(hr).mean()
        ),
        "A picture that is sharper than HR, a noisy one for example, gets a loss below 0, and that's where training "
        "would go. 0 is for equal pictures, and the lowest of all: which square or absolute value is missing?": [
            lambda sr, hr: _steps(hr).mean() - _steps(sr).mean(),
            lambda sr, hr: 1 - _steps(sr).mean() / _steps(hr).mean(),
            lambda sr, hr: hr.std() - sr.std(),
        ],
        "No gradient reaches SR, so nothing could be trained with this. Is there a no_grad, detach, item or round?": (
            lambda sr, hr: forgiving_loss(sr, hr).detach()
        ),
    },
    also_right=[
        lambda sr, hr: (_steps(sr).mean() - _steps(hr).mean()).square(),
        lambda sr, hr: (_steps(hr).mean() - _steps(sr).mean()).abs(),
        _of(lambda x: F.avg_pool2d((x - F.avg_pool2d(x, 5, 1, 2)).square(), 16)),
        _of(lambda x: torch.fft.rfft2(x).abs()),
        _best_shift,
    ],
    otherwise={
        "equal pictures cost nothing": "Two equal pictures should cost nothing.",
        "a blur costs something": "The blurred picture should cost more than 0.",
        "nothing costs less than nothing": "A picture that is sharper than HR gets a loss below 0, or none.",
        "a shift costs less than half of the blur": "The shift costs {given} as much as the blur, though it's hardly "
        "visible; less than 0.5 times is asked for. What changes when a picture is blurred, and stays when it's moved?",
        "more blur costs more": "Twice the blur should cost more than the blur.",
        "the gradient reaches SR": "No gradient reaches SR, so nothing could be trained with this loss.",
    },
    reveal=False,
    hints=(
        "A shift moves things and a blur takes things away. Which number about a small area, 8 x 8 pixels, say, stays "
        "nearly the same when its content moves by one pixel, and falls when it's blurred?",
        "The size of the step from each pixel to its neighbour: (image[..., 1:] - image[..., :-1]).abs(). F.avg_pool2d "
        "takes the mean of each area, and F.mse_loss compares two sets of means.",
    ),
)
