"""Lab 00: an SR image that agrees with its LR image."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab.data.resampling import downsample, resize


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


def _only(shape: torch.Size, name: str, resized: Answer, said: str) -> Answer:
    """`down` or `up` for one size of images, which says so when it gets another one."""

    def strict(image: torch.Tensor) -> torch.Tensor:
        if image.shape != shape:
            raise IncorrectAnswer(f"`{name}` was given an image of {image.shape[-1]}x{image.shape[-2]} pixels. {said}")
        return resized(image)

    strict.__qualname__ = name  # as Python calls it in its own messages
    return strict


def _case(sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer) -> tuple[Any, ...]:
    down = _only(sr.shape, "down", down, "It shrinks: give it SR, which is large.")
    return sr, lr, down, _only(lr.shape, "up", up, "It enlarges: give it something of the size of LR.")


def _to(size: tuple[int, ...] | torch.Size, mode: str, antialias: bool = False) -> Answer:
    return lambda image: F.interpolate(image, size=tuple(size[-2:]), mode=mode, antialias=antialias)


def _own(sr: torch.Tensor, lr: torch.Tensor) -> tuple[list[Answer], list[Answer]]:
    """Ways to shrink SR to the size of LR that a student might write, and to enlarge LR to that of SR."""
    factor = sr.shape[-1] / lr.shape[-1]
    shrinks = [_by(1 / factor), _by(1 / factor, "box"), _to(lr.shape, "bicubic"), _to(lr.shape, "bilinear", True)]
    shrinks.append(lambda image: downsample(image, round(factor)))
    return shrinks, [_by(factor), _by(factor, "box"), _to(sr.shape, "bicubic"), _to(sr.shape, "bilinear")]


def _with_own(shrink: int | None, enlarge: int | None) -> Answer:
    """A step right but for a kernel of its own, by its place in what `_own` gives; None is the kernel that came in."""

    def step(sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer) -> torch.Tensor:
        shrinks, enlargements = _own(sr, lr)
        down = down if shrink is None else shrinks[shrink]
        return back_project(sr, lr, down, up if enlarge is None else enlargements[enlarge])

    return step


def _repeated(times: int, sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer) -> torch.Tensor:
    for _ in range(times):
        sr = back_project(sr, lr, down, up)
    return sr


_SR = sample(1, 3, 16, 24)

EXERCISE = Exercise(
    back_project,
    level="medium",
    points=5,
    cases={
        "what the LR image lacks is added": _case(
            _SR, sample(1, 3, 4, 6, seed=1), _by(1 / 4, "lanczos"), _by(4, "lanczos")
        ),
        "an SR that agrees already stays": _case(_SR, resize(_SR, 1 / 4), _by(1 / 4), _by(4)),
        "any way to shrink and enlarge": _case(
            sample(2, 1, 12, 9, seed=3), sample(2, 1, 4, 3, seed=4), _by(1 / 3, "box"), _by(3, "bilinear")
        ),
    },
    known_mistakes={
        "This is SR as it came in. What does its own LR image lack?": lambda sr, lr, down, up: sr,
        "This is the correction alone. To what does it belong?": lambda sr, lr, down, up: up(lr - down(sr)),
        "This is LR enlarged, and what SR knew is lost. Compare the two at the size of LR, and keep SR.": [
            lambda sr, lr, down, up: up(lr),
            lambda sr, lr, down, up: up(lr - down(sr) + down(sr)),
        ],
        "The sign is turned round: where LR is brighter than SR made small, SR should become brighter.": [
            lambda sr, lr, down, up: sr + up(down(sr) - lr),
            lambda sr, lr, down, up: up(down(sr) - lr),
        ],
        "All of LR was added, and not what is missing. What does SR look like when it is shrunk?": (
            lambda sr, lr, down, up: sr + up(lr)
        ),
        "What SR shows of LR was taken away, and LR itself is not in the result. Hold the two against each other.": (
            lambda sr, lr, down, up: sr - up(down(sr))
        ),
        "Only a part of what is missing was added, or more than that. One step adds it once, as it is.": [
            lambda sr, lr, down, up, part=part: sr + part * up(lr - down(sr)) for part in (0.1, 0.2, 0.25, 0.5, 2)
        ],
        "SR was multiplied by what it falls short of LR, which mends a block of one brightness, too. But a black block "
        "stays black however large the factor, and sharp detail grows with it. Add something instead.": [
            lambda sr, lr, down, up: sr * up(lr / down(sr)),
            lambda sr, lr, down, up: sr * up(lr) / up(down(sr)),
        ],
        "Several steps were taken. Write one: the lab repeats it.": [
            lambda sr, lr, down, up, times=times: _repeated(times, sr, lr, down, up) for times in (2, 3, 4, 5, 10, 20)
        ],
        "The result is cut off at 0 and 1. Leave that for the end, when all steps are done.": (
            lambda sr, lr, down, up: back_project(sr, lr, down, up).clamp(0, 1)
        ),
        "SR is shrunk by a kernel of your own. What SR should agree with was made by `down`, and by nothing else: use "
        "`down` as it comes.": [_with_own(i, None) for i in range(5)],
        "What is missing is enlarged by a kernel of your own. Use `up` as it comes.": [
            _with_own(None, i) for i in range(4)
        ],
        "SR is shrunk and the rest enlarged by kernels of your own. `down` and `up` come in, so that the lab can try "
        "several kernels: use them as they come.": [
            *(_with_own(i, j) for i in range(5) for j in range(4)),
            lambda sr, lr, down, up: back_project(sr, lr, _by(1 / 4), _by(4)),
            lambda sr, lr, down, up: back_project(sr, lr, lambda x: F.avg_pool2d(x, 4), _by(4, "box")),
        ],
        "`down` and `up` have changed places: `up` got SR, which is large already. Shrink it, to hold it against LR.": [
            lambda sr, lr, down, up: sr + down(lr - up(sr)),
            lambda sr, lr, down, up: sr + up(lr - up(sr)),
        ],
        "What LR lacks was given to `down`, which makes it smaller still. It has to be enlarged to go to SR.": (
            lambda sr, lr, down, up: sr + down(lr - down(sr))
        ),
        "Images of two sizes meet here. SR is made small before it is held against LR, and what LR lacks is enlarged "
        "before it goes to SR.": [
            lambda sr, lr, down, up: sr + (lr - down(sr)),
            lambda sr, lr, down, up: sr + up(lr - sr),
        ],
        "The two are compared at the size of SR. Only at that of LR is it known what is right: shrink SR, and hold it "
        "against LR as it is.": [
            lambda sr, lr, down, up: sr + up(down(up(lr) - sr)),
            lambda sr, lr, down, up: up(lr) - sr,
            lambda sr, lr, down, up: sr + 0.5 * (up(lr) - sr),
        ],
    },
    also_accepted=[lambda sr, lr, down, up: up(lr) + sr - up(down(sr))],
    hints=(
        "Shrink SR as LR was made, and hold the result against LR. Where they differ, SR is wrong for certain.",
        "The difference of the two is an LR image. Enlarged, it can be added to SR.",
    ),
)
