"""Lab 02: a description of images that a blur changes more than a shift."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.baselines import blur_until
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled
from srlab.course.exercises.networks import reaches
from srlab.data.datasets import bundled_photos
from srlab.data.degradation import blur


def describe(image: torch.Tensor) -> torch.Tensor:
    """Return how busy an image is in each area of 8 x 8 pixels.

    Parameters
    ----------
    image
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(N, 3, H // 8, W // 8)``, mean size of a step from a pixel to its right neighbor.
    """
    steps = (image[..., 1:] - image[..., :-1]).abs()
    return F.avg_pool2d(steps, 8)


@cache
def _spoiled(name: str, top: int, left: int) -> tuple[torch.Tensor, ...]:
    """Return a crop of a photo, the crop shifted right by one pixel, blurred to the same MSE, and blurred more."""
    photo = bundled_photos("validation")[name][..., top : top + 96, left : left + 144]
    shifted = photo[..., (torch.arange(144) - 1).clamp(min=0)]
    blurred = blur_until(photo, F.mse_loss(shifted, photo).item())
    return photo, shifted, blurred, blur(blurred, 2.0)


def _copies(*crop: Any) -> tuple[torch.Tensor, ...]:
    """Return copies of the images, so that an answer that changes them does not affect the next check."""
    return tuple(image.clone() for image in _spoiled(*crop))


def _look(answer: Answer, image: torch.Tensor) -> torch.Tensor:
    said = filled(answer(image))
    if not isinstance(said, torch.Tensor | float | int):
        raise IncorrectAnswer(f"Return a tensor of numbers, or one number. This is a {type(said).__name__}.")
    return torch.as_tensor(said)


def _observe(answer: Answer, photo: torch.Tensor, *spoiled: torch.Tensor) -> dict[str, Any]:
    wanted = _look(answer, photo)
    shifted, blurred, more = (float(F.mse_loss(_look(answer, picture), wanted)) for picture in spoiled)
    sr = spoiled[1].requires_grad_() + 0  # a computed image, like G's output
    return {
        "a blur costs something": blurred > 0,
        # The ratio identifies a mistake, whatever its factor.
        "a shift costs less than half as much as the blur": "yes"
        if shifted < blurred / 2
        else f"{shifted / (blurred or math.inf):.4g} times",
        "more blur costs more": more > blurred,
        "a gradient reaches SR": reaches(_look(answer, sr).sum(), [sr]),
    }


def _steps(image: torch.Tensor) -> torch.Tensor:
    return (image[..., 1:] - image[..., :-1]).abs()


def _pooled(size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda image: F.avg_pool2d(image, size)


EXERCISE = Exercise(
    describe,
    level="medium",
    points=5,
    cases={
        "the astronaut's face": lambda: _copies("astronaut", 48, 168),
        "the cat's eye": lambda: _copies("chelsea", 80, 120),
    },
    observe=_observe,
    known_mistakes={
        "Your descriptions differ pixel by pixel, as the images do, so a shift costs as much as the blur. Describe a "
        "neighborhood instead, for example how much its pixels differ from each other.": [
            lambda image: image,
            lambda image: image.mean(1, keepdim=True),
        ],
        "You average brightness, and a blur leaves the brightness of a neighborhood as it is. What does a blur remove? "
        "Measure that, and then average.": [_pooled(2), _pooled(4), _pooled(8), _pooled(16)],
        "A blur reduces the steps between neighbors, so that's a good start. But you compare them position by "
        "position, and a shift moves every one of them. Average them over a neighborhood.": [
            _steps,
            lambda image: image[..., 1:] - image[..., :-1],
            lambda image: (image[..., 1:] - image[..., :-1]).square(),
        ],
        "Your steps keep their signs, so up and down cancel in a neighborhood. Take their size before you average.": [
            lambda image, size=size: F.avg_pool2d(image[..., 1:] - image[..., :-1], size) for size in (4, 8, 16)
        ],
        "Your description is the same for every image, so nothing costs anything. Does it use the image?": (
            lambda image: image.sum() * 0
        ),
        "No gradient reaches SR, so you couldn't train with this. Is there a no_grad, detach, item or round?": [
            lambda image: describe(image).detach(),
            lambda image: _steps(image).mean().item(),
        ],
    },
    also_accepted=[
        lambda image: _steps(image).mean(),
        lambda image: F.avg_pool2d((image - F.avg_pool2d(image, 5, 1, 2)).square(), 16),
        lambda image: F.avg_pool2d((image[..., 1:, :] - image[..., :-1, :]).abs(), 8),
        lambda image: torch.fft.rfft2(image).abs(),
    ],
    fallback_messages={
        "a blur costs something": "The blurred image should cost more than 0.",
        "a shift costs less than half as much as the blur": "The shift costs {given} as much as the blur, though it's "
        "hardly visible. It should be less than 0.5 times. What changes when you blur an image, and stays when you "
        "shift it?",
        "more blur costs more": "Twice the blur should cost more than the blur.",
        "a gradient reaches SR": "No gradient reaches SR, so you couldn't train with this.",
    },
    reveal=False,
    hints=(
        "A shift moves things, and a blur removes things. Which number about a small area, say 8 x 8 pixels, hardly "
        "changes when its content moves by one pixel, and falls when you blur it?",
        "Use the size of the step from each pixel to its neighbor: (image[..., 1:] - image[..., :-1]).abs(). "
        "F.avg_pool2d takes the mean of each area.",
    ),
)
