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


def _only(shape: torch.Size, name: str, resized: Answer, said: str) -> Answer:
    """Return `down` or `up` for images of one size, in any batch; it raises `IncorrectAnswer` for another size."""

    def strict(image: torch.Tensor) -> torch.Tensor:
        if image.shape[-3:] != shape[-3:]:
            raise IncorrectAnswer(f"`{name}` was given an image of {image.shape[-1]}x{image.shape[-2]} pixels. {said}")
        return resized(image)

    strict.__qualname__ = name  # the name in error messages of Python
    return strict


def _case(sr: torch.Tensor, lr: torch.Tensor, down: Answer, up: Answer) -> tuple[Any, ...]:
    down = _only(sr.shape, "down", down, "It downscales, so pass it SR, the large image.")
    return sr, lr, down, _only(lr.shape, "up", up, "It upscales, so pass it something of LR's size.")


def _to(size: tuple[int, ...] | torch.Size, mode: str, antialias: bool = False) -> Answer:
    return lambda image: F.interpolate(image, size=tuple(size[-2:]), mode=mode, antialias=antialias)


def _own(sr: torch.Tensor, lr: torch.Tensor) -> tuple[list[Answer], list[Answer]]:
    """Return ways to downscale SR to LR's size that a student might write, and ways to upscale LR to SR's size."""
    factor = sr.shape[-1] / lr.shape[-1]
    shrinks = [_by(1 / factor), _by(1 / factor, "box"), _to(lr.shape, "bicubic"), _to(lr.shape, "bilinear", True)]
    shrinks.append(lambda image: downsample(image, round(factor)))
    return shrinks, [_by(factor), _by(factor, "box"), _to(sr.shape, "bicubic"), _to(sr.shape, "bilinear")]


def _with_own(shrink: int | None, enlarge: int | None) -> Answer:
    """Return a correct step with other kernels, given by their place in `_own`; None keeps the kernel passed in."""

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
        "SR plus the correction from LR": _case(
            _SR, sample(1, 3, 4, 6, seed=1), _by(1 / 4, "lanczos"), _by(4, "lanczos")
        ),
        "an SR that already agrees with LR is unchanged": _case(_SR, resize(_SR, 1 / 4), _by(1 / 4), _by(4)),
        "any kernels for down and up": _case(
            sample(2, 1, 12, 9, seed=3), sample(2, 1, 4, 3, seed=4), _by(1 / 3, "box"), _by(3, "bilinear")
        ),
    },
    known_mistakes={
        "You returned SR unchanged. What is missing from its own LR image?": lambda sr, lr, down, up: sr,
        "You returned only the correction. What should it be added to?": lambda sr, lr, down, up: up(lr - down(sr)),
        "You returned LR upscaled, so the detail in SR is lost. Compare the two at LR's size, and keep SR.": [
            lambda sr, lr, down, up: up(lr),
            lambda sr, lr, down, up: up(lr - down(sr) + down(sr)),
        ],
        "The sign is flipped: where LR is brighter than downscaled SR, SR should become brighter.": [
            lambda sr, lr, down, up: sr + up(down(sr) - lr),
            lambda sr, lr, down, up: up(down(sr) - lr),
        ],
        "You added all of LR, not only what is missing. What does SR look like when you downscale it?": (
            lambda sr, lr, down, up: sr + up(lr)
        ),
        "You subtracted downscaled SR, but LR itself is not in the result. Compare the two.": (
            lambda sr, lr, down, up: sr - up(down(sr))
        ),
        "You added only a part of what is missing, or more than that. One step adds it once, unscaled.": [
            lambda sr, lr, down, up, part=part: sr + part * up(lr - down(sr)) for part in (0.1, 0.2, 0.25, 0.5, 2)
        ],
        "You multiply SR by a ratio. That also corrects a uniform block, but a black block stays black however large "
        "the factor, and sharp detail grows with it. Add something instead.": [
            lambda sr, lr, down, up: sr * up(lr / down(sr)),
            lambda sr, lr, down, up: sr * up(lr) / up(down(sr)),
        ],
        "You took several steps. Write only one: the lab repeats it.": [
            lambda sr, lr, down, up, times=times: _repeated(times, sr, lr, down, up) for times in (2, 3, 4, 5, 10, 20)
        ],
        "You clamp the result to [0, 1]. Leave that for the end, after all steps.": (
            lambda sr, lr, down, up: back_project(sr, lr, down, up).clamp(0, 1)
        ),
        "You downscale SR with your own kernel. LR was made with `down` and nothing else, so use `down` as it is "
        "passed in.": [_with_own(i, None) for i in range(5)],
        "You upscale the correction with your own kernel. Use `up` as it is passed in.": [
            _with_own(None, i) for i in range(4)
        ],
        "You downscale SR and upscale the correction with your own kernels. The lab passes in `down` and `up` to try "
        "several kernels, so use them unchanged.": [
            *(_with_own(i, j) for i in range(5) for j in range(4)),
            lambda sr, lr, down, up: back_project(sr, lr, _by(1 / 4), _by(4)),
            lambda sr, lr, down, up: back_project(sr, lr, lambda x: F.avg_pool2d(x, 4), _by(4, "box")),
        ],
        "You swapped `down` and `up`: `up` got SR, which is already large. Downscale SR to compare it with LR.": [
            lambda sr, lr, down, up: sr + down(lr - up(sr)),
            lambda sr, lr, down, up: sr + up(lr - up(sr)),
        ],
        "You passed the correction to `down`, which makes it even smaller. Upscale it so that you can add it to SR.": (
            lambda sr, lr, down, up: sr + down(lr - down(sr))
        ),
        "You combine images of two sizes. Downscale SR before you compare it with LR, and upscale the difference "
        "before you add it to SR.": [
            lambda sr, lr, down, up: sr + (lr - down(sr)),
            lambda sr, lr, down, up: sr + up(lr - sr),
        ],
        "You compare the two at SR's size. Only at LR's size do you know what is correct: downscale SR, and compare it "
        "with LR as it is.": [
            lambda sr, lr, down, up: sr + up(down(up(lr) - sr)),
            lambda sr, lr, down, up: up(lr) - sr,
            lambda sr, lr, down, up: sr + 0.5 * (up(lr) - sr),
        ],
    },
    also_accepted=[lambda sr, lr, down, up: up(lr) + sr - up(down(sr))],
    hints=(
        "Downscale SR the way LR was made, and compare the result with LR. Where they differ, SR is certainly wrong.",
        "The difference of the two is an LR image. Once upscaled, it can be added to SR.",
    ),
)
