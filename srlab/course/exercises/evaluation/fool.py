"""Lab 05: an image that the blur effect rates sharper than the photo."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled
from srlab.data.datasets import bundled_photos
from srlab.data.degradation import blur
from srlab.data.images import luma, quantize


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


def _noise(strength: float) -> Answer:
    return lambda picture: (picture + strength * torch.randn_like(picture)).clamp(0, 1)


def _sharpened(amount: float) -> Answer:
    return lambda picture: (picture + amount * (picture - blur(picture, 1.5))).clamp(0, 1)


def _coarse(side: int) -> Answer:
    """Return an answer that draws stair steps: each block has one color."""
    return lambda picture: (
        picture[..., ::side, ::side]
        .repeat_interleave(side, -2)
        .repeat_interleave(side, -1)[..., : picture.shape[-2], : picture.shape[-1]]
    )


def _chequered(picture: torch.Tensor) -> torch.Tensor:
    rows, columns = (torch.arange(side) for side in picture.shape[-2:])
    return (picture + 0.1 * ((rows[:, None] + columns) % 2 * 2 - 1)).clamp(0, 1)


EXERCISE = Exercise(
    fool,
    level="medium",
    points=3,
    cases={
        "a face": _scene("astronaut", 40, 160, 1.5),
        "fur": _scene("chelsea", 100, 150, 1.2),
    },
    observe=_observe,
    known_mistakes={
        "The blur effect doesn't rate this better than the image that you got. It looks for steps between neighboring "
        "pixels. Where could more of them come from?": [
            lambda picture: picture,
            lambda picture: blur(picture, 1.0),
            lambda picture: picture * 0 + picture.mean((-2, -1), keepdim=True),
            lambda picture: picture.flip(-1),
            lambda picture: 0.5 + 0.5 * (picture - 0.5),
            _chequered,
        ],
        "Your image is better than the one that you got, but the blur effect still prefers the photo. Do more of the "
        "same.": [
            _noise(0.012),
            _sharpened(0.3),
        ],
        "Some values are below 0 or above 1, so no file can store them. What does clamp do?": [
            lambda picture: picture + 0.3 * torch.randn_like(picture),
            lambda picture: picture + 4 * (picture - blur(picture, 1.5)),
        ],
    },
    also_accepted=[_noise(0.2), _sharpened(8), _coarse(8)],
    fallback_messages={
        "all values in [0, 1]": "Some values are below 0 or above 1, so no file can store them. What does clamp do?",
    },
    reveal=False,
    hints=(
        "The blur effect blurs once more and measures how much the steps between neighbors shrink. Which image loses "
        "the most in a blur?",
        "Add something that changes from each pixel to the next: noise, a pattern, exaggerated edges. Clamp the "
        "result.",
    ),
)
