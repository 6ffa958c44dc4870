"""The exercise of lab 00 about an SR image that agrees with its LR image."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.data import resampling
from srlab.exercises import Answer, Exercise, Wrong, compare, near, sample, tensor


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


def _down(image: torch.Tensor) -> torch.Tensor:
    return resampling.resize(image, 1 / 4)


def _up(image: torch.Tensor) -> torch.Tensor:
    return resampling.resize(image, 4)


def _scene() -> tuple[torch.Tensor, torch.Tensor]:
    return sample(1, 3, 16, 24), sample(1, 3, 4, 6, seed=1)


def _back_project_step(answer: Answer) -> None:
    (sr, lr), (given_sr, given_lr) = _scene(), _scene()
    result = tensor(answer(given_sr, given_lr, _down, _up), (1, 3, 16, 24), "The result is as large as SR.")
    if not (torch.equal(sr, given_sr) and torch.equal(lr, given_lr)):
        raise Wrong("An image that came in was changed in place (+= and -= do that). Make a new one.")
    wanted, missing = back_project(sr, lr, _down, _up), lr - _down(sr)
    own = F.interpolate(lr - F.avg_pool2d(sr, 4), scale_factor=4)
    mistakes = [
        ("This is SR as it came in. What does its own LR image lack?", sr),
        ("This is the correction alone. To what does it belong?", _up(missing)),
        (
            "This is LR enlarged, and what SR knew is lost. Compare the two at the size of LR, and keep SR.",
            _up(lr),
        ),
        (
            "The sign is turned round: where LR is brighter than SR made small, SR should become brighter.",
            sr - _up(missing),
        ),
        ("All of LR was added, and not what is missing. What does SR look like when it is shrunk?", sr + _up(lr)),
        ("The result is cut off at 0 and 1. Leave that for the end, when all steps are done.", wanted.clamp(0, 1)),
        (
            "A kernel of your own is at work. LR was made by `down`, and nothing else says what SR should agree with.",
            sr + own,
        ),
    ]
    compare(result, wanted, mistakes, "The step is another one.")


def _back_project_fixed(answer: Answer) -> None:
    sr, _ = _scene()
    result = tensor(answer(sr.clone(), _down(sr), _down, _up), (1, 3, 16, 24))
    if not near(result, sr):
        raise Wrong("An SR whose LR image is right already should stay as it is, but it changed.")


def _back_project_uses(answer: Answer) -> None:
    """With other ways to shrink and enlarge, at another scale."""
    sr, lr = sample(2, 1, 12, 8, seed=3), sample(2, 1, 6, 4, seed=4)

    def down(image: torch.Tensor) -> torch.Tensor:
        return resampling.resize(image, 1 / 2, "box")

    def up(image: torch.Tensor) -> torch.Tensor:
        return resampling.resize(image, 2, "box")

    result = tensor(answer(sr.clone(), lr, down, up), (2, 1, 12, 8), "Is a scale or a kernel written into your code?")
    otherwise = "With another kernel and scale the step is another one: use `down` and `up` as they come."
    compare(result, back_project(sr, lr, down, up), otherwise=otherwise)


EXERCISES = {
    "degradation.back_project": Exercise(
        back_project,
        (
            ("what the LR image lacks is added", _back_project_step),
            ("an SR that agrees already stays", _back_project_fixed),
            ("any way to shrink and enlarge", _back_project_uses),
        ),
        "medium",
        (
            "Shrink SR as LR was made, and hold the result against LR. Where they differ, SR is wrong for certain.",
            "The difference of the two is an LR image. Enlarged, it can be added to SR.",
        ),
    )
}
