"""Lab 00: an SR image that agrees with its LR image."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.data.resampling import resize
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab_course.feedback.value_comparison import take


def back_project(
    sr: torch.Tensor,
    lr: torch.Tensor,
    down: Callable[[torch.Tensor], torch.Tensor],
    up: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Add to SR the upscaled difference between LR and downscaled SR (Irani and Peleg 1991).

    Parameters
    ----------
    sr
        ``(N, C, H, W)``, the current SR image.
    lr
        ``(N, C, h, w)``, the given LR image.
    down, up
        Functions that downscale an image the way LR was made, and upscale one.

    Returns
    -------
    torch.Tensor
        ``(N, C, H, W)``, not clamped.
    """
    return sr + up(lr - down(sr))


def _by(factor: float, kernel: str = "bicubic") -> Answer:
    return lambda image: resize(image, factor, kernel)


def _noted(name: str, resized: Answer, size: torch.Size, images: list[torch.Tensor]) -> Answer:
    """Return `down` or `up`, which keeps each image that it is given, and rejects another size."""

    def strict(image: torch.Tensor) -> torch.Tensor:
        if image.shape[-2:] != size:
            way = "downscales, so pass it SR, the large image" if name == "down" else "upscales an image of LR's size"
            raise IncorrectAnswer(
                f"`{name}` was given an image of {image.shape[-1]}x{image.shape[-2]} pixels. It {way}."
            )
        images.append(image.detach().clone())
        return resized(image)

    strict.__qualname__ = name  # the name in error messages of Python
    return strict


def _observe(answer: Answer, sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer) -> dict[str, Any]:
    large, small = [], []
    noted = _noted("down", down, sr.shape[-2:], large), _noted("up", up, lr.shape[-2:], small)
    result = take(filled(answer(sr, lr, *noted)), sr)
    missing = up(lr - down(sr))
    part = 1.0
    if not torch.allclose(result, sr + missing, atol=1e-4):
        if not large:
            raise IncorrectAnswer(
                "You never call `down`. LR was made with it and nothing else: downscale SR with `down`, and compare "
                "the result with LR."
            )
        if not small:
            raise IncorrectAnswer("You never call `up`. Upscale the correction with `up`, as it is passed in.")
        if not torch.equal(large[0], large[-1]):
            raise IncorrectAnswer("You took several steps. Write only one: the lab repeats it.")
        scaled = float(((result - sr) * missing).sum() / missing.square().sum().clamp(min=1e-9))
        part = scaled if torch.allclose(result, sr + scaled * missing, atol=1e-4) else 1.0
    return {"the part of what is missing": part, "the new SR image": result}


_SR = sample(1, 3, 16, 24)

EXERCISE = Exercise(
    back_project,
    level="medium",
    points=5,
    cases={
        "SR plus the correction from LR": (_SR, sample(1, 3, 4, 6, seed=1), _by(1 / 4, "lanczos"), _by(4, "lanczos")),
        "an SR that already agrees with LR is unchanged": (_SR, resize(_SR, 1 / 4), _by(1 / 4), _by(4)),
        "any kernels for down and up": (
            sample(2, 1, 12, 9, seed=3),
            sample(2, 1, 4, 3, seed=4),
            _by(1 / 3, "box"),
            _by(3, "bilinear"),
        ),
    },
    observe=_observe,
)
