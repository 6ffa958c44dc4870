"""Lab 05: LR consistency, or whether SR still shows what LR showed."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.images import quantize
from srlab.data.resampling import resize
from srlab_course.exercises.psnr_mistakes import Formula, mistakes_of
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Shrink = Callable[[torch.Tensor], torch.Tensor]


def lr_consistency(sr: torch.Tensor, lr: torch.Tensor, shrink: Shrink) -> torch.Tensor:
    """Return the PSNR of downscaled SR against LR.

    SR is rounded to the 8-bit levels of a file and downscaled as LR was. All pixels of all three channels count.

    Parameters
    ----------
    sr
        ``(1, 3, H, W)`` in [0, 1].
    lr
        ``(1, 3, h, w)``, the image that SR was made from.
    shrink
        Function that downscales a large image to an LR image, rounded to 8 bits.

    Returns
    -------
    torch.Tensor
        ``()``, decibels.
    """
    again = shrink(quantize(sr))
    return -10 * (again - lr).square().mean().log10()


def _strict(scale: int, kernel: str) -> Shrink:
    """Return a way to downscale that raises `IncorrectAnswer` for an image that is already small."""

    def shrink(image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] != 12 * scale:
            raise IncorrectAnswer(
                f"You passed `shrink` an image of {image.shape[-1]}x{image.shape[-2]} pixels. Which of the two images "
                "is large?"
            )
        return quantize(resize(image, 1 / scale, kernel))

    return shrink


def _scene(scale: int, kernel: str, strength: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, Shrink]:
    """Return SR between 8-bit levels, LR of a slightly different photo (mostly at the border), and `shrink`."""
    hr = sample(1, 3, 10 * scale, 12 * scale, low=0.25, high=0.75, seed=seed)
    wrong = strength * sample(1, 3, 10, 12, low=-1, seed=seed + 1)
    wrong[..., :1, :] *= 3
    wrong[..., -1:] *= 4
    wrong = wrong * torch.tensor([1.0, 0.5, -1.5]).view(3, 1, 1)
    shrink = _strict(scale, kernel)
    return hr + F.interpolate(wrong, scale_factor=float(scale)), shrink(quantize(hr)), shrink


def _agreeing(scale: int, kernel: str, seed: int) -> tuple[torch.Tensor, torch.Tensor, Shrink]:
    """Return SR, the LR that it downscales to, and `shrink`; the score is infinite."""
    sr, shrink = sample(1, 3, 10 * scale, 12 * scale, low=0.25, high=0.75, seed=seed), _strict(scale, kernel)
    return sr, shrink(quantize(sr)), shrink


def _observe(answer: Answer, sr: torch.Tensor, lr: torch.Tensor, shrink: Shrink) -> dict[str, Any]:
    shrunk = []

    def noted(image: torch.Tensor) -> torch.Tensor:
        shrunk.append(image)
        return shrink(image)

    score = filled(answer(sr, lr, noted))
    if not shrunk:
        raise IncorrectAnswer(
            "You never call `shrink`, which made the LR image. Downscale SR with it, and compare the two at LR's size."
        )
    return {"the score in dB": score}


def _then(formula: Formula) -> Answer:
    """Return an answer that applies a different formula to the correct errors."""
    return lambda sr, lr, shrink: formula((shrink(quantize(sr)) - lr).flatten())


EXERCISE = Exercise(
    lr_consistency,
    level="medium",
    points=5,
    cases={
        "SR downscaled the way HR was": _scene(4, "bicubic", 0.02, 0),
        "another way to downscale": _scene(3, "box", 0.01, 5),
        "SR as a file stores it": _scene(2, "box", 0.0015, 9),
        "an SR that agrees exactly": _agreeing(4, "bicubic", 13),
    },
    observe=_observe,
    known_mistakes=mistakes_of(_then),
    tolerance=5e-3,
)
