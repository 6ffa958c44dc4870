"""Lab 08: one step toward an SR image that agrees with several shifted LR images."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.exercises.degradation.back_project import back_project
from srlab_course.feedback.exercise import Answer, Exercise, filled, sample
from srlab_course.feedback.value_comparison import take

Move = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def fit_all(sr: torch.Tensor, frames: torch.Tensor, shifts: torch.Tensor, move: Move, step: Move) -> torch.Tensor:
    """Move SR to each frame, take a step toward that frame, move back, and return the mean.

    Parameters
    ----------
    sr
        ``(1, C, H, W)``, the current SR image.
    frames
        ``(N, C, h, w)``, LR images of the same scene.
    shifts
        ``(N, 2)``, how far down and to the right the scene is in each frame, in HR pixels.
    move
        Function of one image or N images and N shifts, which returns N moved images.
    step
        Back-projection: a function of N SR images and N LR images, which returns N SR images.

    Returns
    -------
    torch.Tensor
        ``(1, C, H, W)``, not clamped.
    """
    fitted = step(move(sr, shifts), frames)
    return move(fitted, -shifts).mean(0, keepdim=True)


def _roll(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Move by whole pixels, which can be undone exactly."""
    images = images.expand(len(shifts), -1, -1, -1)
    return torch.stack([one.roll(shift, (-2, -1)) for one, shift in zip(images, shifts.long().tolist(), strict=True)])


def _step(sr: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
    def up(image: torch.Tensor) -> torch.Tensor:
        return F.interpolate(image, scale_factor=4)

    return back_project(sr, lr, lambda image: F.avg_pool2d(image, 4), up)


def _observe(
    answer: Answer, sr: torch.Tensor, frames: torch.Tensor, shifts: torch.Tensor, move: Move, step: Move
) -> dict[str, Any]:
    return {"the new SR image": take(filled(answer(sr, frames, shifts, move, step)), sr)}


def _case(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Move, Move]:
    shifts = sample(count, 2, low=-3, high=3, seed=seed + 1).round()
    return sample(1, 3, 16, 24, seed=seed), sample(count, 3, 4, 6, seed=seed + 2), shifts, _roll, _step


EXERCISE = Exercise(
    fit_all,
    level="medium",
    points=5,
    observe=_observe,
    cases={"three frames": _case(3, 0), "five frames": _case(5, 10), "one frame": _case(1, 20)},
)
