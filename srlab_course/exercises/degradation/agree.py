"""Lab 00: repeat back-projection, and record how far SR is from agreeing with LR."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.data.resampling import resize
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


def agree(
    sr: torch.Tensor,
    lr: torch.Tensor,
    down: Callable[[torch.Tensor], torch.Tensor],
    up: Callable[[torch.Tensor], torch.Tensor],
    steps: int,
) -> tuple[torch.Tensor, list[float]]:
    """Take `steps` steps of back-projection, and clamp to [0, 1] after each.

    Parameters
    ----------
    sr
        ``(N, C, H, W)`` in [0, 1], the first SR image.
    lr
        ``(N, C, h, w)``, the given LR image.
    down, up
        Functions that downscale an image the way LR was made, and upscale one.
    steps
        Number of steps.

    Returns
    -------
    torch.Tensor
        The last SR image.
    list of float
        The mean absolute difference between downscaled SR and LR in gray levels (255 is white), before the first step
        and after each: ``steps + 1`` numbers.
    """
    apart = [255 * (down(sr) - lr).abs().mean().item()]
    for _ in range(steps):
        # The step of `back_project`, which you can call instead.
        sr = (sr + up(lr - down(sr))).clamp(0, 1)
        apart.append(255 * (down(sr) - lr).abs().mean().item())
    return sr, apart


def _observe(
    answer: Answer, sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer, steps: int
) -> dict[str, Any]:
    result = filled(answer(sr, lr, down, up, steps))
    last, apart = result if isinstance(result, tuple | list) and len(result) == 2 else (None, None)
    if not isinstance(last, torch.Tensor) or not isinstance(apart, list | tuple | torch.Tensor):
        raise IncorrectAnswer("Return two things: the last SR image, and the list of differences.")
    return {"the number of differences": len(apart), "the last SR image": last, "the differences": list(apart)}


def _by(factor: float) -> Answer:
    return lambda image: resize(image, factor)


EXERCISE = Exercise(
    agree,
    level="medium",
    points=3,
    observe=_observe,
    cases={
        "four steps from noise": (sample(1, 3, 16, 24), sample(1, 3, 4, 6, seed=1), _by(1 / 4), _by(4), 4),
        "one step": (sample(2, 1, 12, 9, seed=2), sample(2, 1, 4, 3, seed=3), _by(1 / 3), _by(3), 1),
        "no step": (sample(1, 3, 8, 8, seed=4), sample(1, 3, 4, 4, seed=5), _by(1 / 2), _by(2), 0),
    },
    tolerance=1e-3,
)
