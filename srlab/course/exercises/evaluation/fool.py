"""Lab 05: a picture that a number likes better than the photo."""

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
    """Fill a soft picture with steps between neighbors, so that the blur effect takes it for sharper than the photo.

    Parameters
    ----------
    picture
        ``(1, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        Of the same shape, in [0, 1].
    """
    noise = 0.1 * torch.randn_like(picture)
    return (picture + noise).clamp(0, 1)


@functools.cache
def _photo(name: str, top: int, left: int) -> torch.Tensor:
    return bundled_photos("validation")[name][..., top : top + 128, left : left + 128]


def _scene(name: str, top: int, left: int, sigma: float) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """A soft picture, and the photo that it was made from."""
    return lambda: (blur(_photo(name, top, left), sigma), _photo(name, top, left).clone())


def _blurred(image: torch.Tensor) -> float:
    from skimage.measure import blur_effect

    return float(blur_effect(luma(quantize(image))[0, 0].numpy()))


def _observe(answer: Answer, picture: torch.Tensor, photo: torch.Tensor) -> dict[str, Any]:
    result = take(filled(answer(picture.clone())), picture)
    if not bool(result.isfinite().all()):
        raise IncorrectAnswer("Some of the values are NaN or infinite.")
    low, high = float(result.min()), float(result.max())
    scored = _blurred(result.detach().clamp(0, 1))
    return {
        "the values lie in [0, 1]": low >= 0 and high <= 1,
        "it's better than the picture": scored < _blurred(picture) - 0.01,
        "it's better than the photo": scored < _blurred(photo),
    }


def _noise(strength: float) -> Answer:
    return lambda picture: (picture + strength * torch.randn_like(picture)).clamp(0, 1)


def _sharpened(amount: float) -> Answer:
    return lambda picture: (picture + amount * (picture - blur(picture, 1.5))).clamp(0, 1)


def _coarse(side: int) -> Answer:
    """Stair steps: each block is one color."""
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
        "The blur effect doesn't like this better than what came in. It looks for steps between neighboring pixels: "
        "where could more of them come from?": [
            lambda picture: picture,
            lambda picture: blur(picture, 1.0),
            lambda picture: picture * 0 + picture.mean((-2, -1), keepdim=True),
            lambda picture: picture.flip(-1),
            lambda picture: 0.5 + 0.5 * (picture - 0.5),
            _chequered,
        ],
        "It's better than what came in, but the blur effect still likes the photo more. Do more of the same.": [
            _noise(0.012),
            _sharpened(0.3),
        ],
        "Some values are below 0 or above 1, and no file can hold them. What does clamp do?": [
            lambda picture: picture + 0.3 * torch.randn_like(picture),
            lambda picture: picture + 4 * (picture - blur(picture, 1.5)),
        ],
    },
    also_accepted=[_noise(0.2), _sharpened(8), _coarse(8)],
    fallback_messages={
        "the values lie in [0, 1]": "Some values are below 0 or above 1, which no file can hold. What does clamp do?",
    },
    reveal=False,
    hints=(
        "The blur effect blurs once more and asks how much the steps between neighbors shrink. Which picture loses "
        "most by a blur?",
        "Something that changes from each pixel to the next: noise, a pattern, exaggerated edges. Clamp the result.",
    ),
)
