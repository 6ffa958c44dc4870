"""Lab 05: an image that the blur effect rates sharper than the photo."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from srlab.data.datasets import bundled_photos
from srlab.data.degradation import blur
from srlab.data.images import luma, quantize
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled
from srlab_course.feedback.value_comparison import take


def fool(picture: torch.Tensor) -> torch.Tensor:
    """Fill a blurry image with steps between neighbors, so that the blur effect rates it sharper than the photo.

    Parameters
    ----------
    picture
        ``(1, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        Image of the same shape, in [0, 1].
    """
    noise = 0.1 * torch.randn_like(picture)
    return (picture + noise).clamp(0, 1)


@functools.cache
def _photo(name: str, top: int, left: int) -> torch.Tensor:
    return bundled_photos("validation")[name][..., top : top + 128, left : left + 128]


def _scene(name: str, top: int, left: int, sigma: float) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """Return a blurry image, and the photo that it was made from."""
    return lambda: (blur(_photo(name, top, left), sigma), _photo(name, top, left).clone())


def _blurred(image: torch.Tensor) -> float:
    from skimage.measure import blur_effect

    return float(blur_effect(luma(quantize(image))[0, 0].numpy()))


def _observe(answer: Answer, picture: torch.Tensor, photo: torch.Tensor) -> dict[str, Any]:
    result = take(filled(answer(picture)), picture)
    if not bool(result.isfinite().all()):
        raise IncorrectAnswer("Some of your values are NaN or infinite.")
    low, high = float(result.min()), float(result.max())
    scored = _blurred(result.detach().clamp(0, 1))
    return {
        "all values in [0, 1]": low >= 0 and high <= 1,
        "a better score than the image that you get": scored < _blurred(picture) - 0.01,
        "a better score than the photo": scored < _blurred(photo),
    }


EXERCISE = Exercise(
    fool,
    level="medium",
    points=3,
    cases={
        "a face": _scene("astronaut", 40, 160, 1.5),
        "fur": _scene("chelsea", 100, 150, 1.2),
    },
    observe=_observe,
    reveal=False,
)
