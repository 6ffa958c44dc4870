"""Lab 02: a description of images that a blur changes more than a shift."""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.datasets import bundled_photos
from srlab.data.degradation import blur
from srlab_course.exercises.networks import reaches
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled
from srlab_course.material.baselines import blur_until


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


EXERCISE = Exercise(
    describe,
    level="medium",
    points=5,
    cases={
        "the astronaut's face": lambda: _copies("astronaut", 48, 168),
        "the cat's eye": lambda: _copies("chelsea", 80, 120),
    },
    observe=_observe,
    reveal=False,
)
