"""Lab 00: an SR image that agrees with its LR image."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.data.resampling import resize
from srlab.exercises import Answer, Exercise, sample


def back_project(
    sr: torch.Tensor,
    lr: torch.Tensor,
    down: Callable[[torch.Tensor], torch.Tensor],
    up: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Add to SR, enlarged, what its own LR image lacks (Irani and Peleg 1991).

    Parameters
    ----------
    sr
        ``(N, C, H, W)``, the answer so far.
    lr
        ``(N, C, h, w)``, the LR image that was given.
    down, up
        Shrink an image as LR was made, and enlarge one.

    Returns
    -------
    torch.Tensor
        ``(N, C, H, W)``, not clamped.
    """
    return sr + up(lr - down(sr))


def _by(factor: float, kernel: str = "bicubic") -> Answer:
    return lambda image: resize(image, factor, kernel)


_SR = sample(1, 3, 16, 24)

EXERCISE = Exercise(
    back_project,
    level="medium",
    cases={
        "what the LR image lacks is added": (_SR, sample(1, 3, 4, 6, seed=1), _by(1 / 4), _by(4)),
        "an SR that agrees already stays": (_SR, resize(_SR, 1 / 4), _by(1 / 4), _by(4)),
        "any way to shrink and enlarge": (
            sample(2, 1, 12, 8, seed=3),
            sample(2, 1, 6, 4, seed=4),
            _by(1 / 2, "box"),
            _by(2, "box"),
        ),
    },
    mistakes={
        "This is SR as it came in. What does its own LR image lack?": lambda sr, lr, down, up: sr,
        "This is the correction alone. To what does it belong?": lambda sr, lr, down, up: up(lr - down(sr)),
        "This is LR enlarged, and what SR knew is lost. Compare the two at the size of LR, and keep SR.": (
            lambda sr, lr, down, up: up(lr)
        ),
        "The sign is turned round: where LR is brighter than SR made small, SR should become brighter.": (
            lambda sr, lr, down, up: sr + up(down(sr) - lr)
        ),
        "All of LR was added, and not what is missing. What does SR look like when it is shrunk?": (
            lambda sr, lr, down, up: sr + up(lr)
        ),
        "The result is cut off at 0 and 1. Leave that for the end, when all steps are done.": (
            lambda sr, lr, down, up: back_project(sr, lr, down, up).clamp(0, 1)
        ),
        "A kernel of your own is at work. LR was made by `down`, and nothing else says what SR should agree with: use "
        "`down` and `up` as they come.": [
            lambda sr, lr, down, up: sr + F.interpolate(lr - F.avg_pool2d(sr, 4), scale_factor=4),
            lambda sr, lr, down, up: back_project(sr, lr, _by(1 / 4), _by(4)),
            lambda sr, lr, down, up: back_project(
                sr, lr, _by(lr.shape[-1] / sr.shape[-1]), _by(sr.shape[-1] / lr.shape[-1])
            ),
        ],
        "Images of two sizes meet here: what LR lacks is small, and has to be enlarged before it goes to SR.": [
            lambda sr, lr, down, up: sr + (lr - down(sr)),
            lambda sr, lr, down, up: sr + up(lr - sr),
        ],
    },
    also_right=[lambda sr, lr, down, up: up(lr) + sr - up(down(sr))],
    hints=(
        "Shrink SR as LR was made, and hold the result against LR. Where they differ, SR is wrong for certain.",
        "The difference of the two is an LR image. Enlarged, it can be added to SR.",
    ),
)
