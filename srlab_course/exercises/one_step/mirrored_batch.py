"""Lab 07: find the bug in a batch whose noise is not the one that its ends were made with."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise
from srlab_course.feedback.value_comparison import take

POOL, SIZE, BATCHES = 64, 40, 100


def mirrored_batch(noise: torch.Tensor, end: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `size` random pairs of a pool ``(N, 2)``, each mirrored with probability 1/2.

    The first coordinate of a mirrored pair has the other sign, in the noise and in the end.
    """
    chosen = torch.randint(len(noise), (size,))
    sign = torch.where(torch.rand(size) < 0.5, -1.0, 1.0)
    mirror = torch.stack([sign, torch.ones(size)], dim=1)
    return noise[chosen] * mirror, end[chosen] * mirror


def borrowed_batch(noise: torch.Tensor, end: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random pairs of a pool, each mirrored with probability 1/2. It has a bug."""
    chosen = torch.randint(len(noise), (size,))
    sign = torch.where(torch.rand(size) < 0.5, -1.0, 1.0)
    mirror = torch.stack([sign, torch.ones(size)], dim=1)
    return noise[chosen], end[chosen] * mirror


def _pool() -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return noise and ends whose second coordinate is the number of their pair; the first is positive."""
    pair = torch.arange(1, POOL + 1.0)
    return torch.stack([pair / POOL, pair], dim=1), torch.stack([0.5 + pair / POOL, pair], dim=1), SIZE


def _observe(answer: Answer, noise: torch.Tensor, end: torch.Tensor, size: int) -> dict[str, Any]:
    like = [torch.zeros(size, 2)] * 2
    batches = [take(answer(noise, end, size), like) for _ in range(BATCHES)]
    x, x_end = (torch.stack(part) for part in zip(*batches, strict=True))
    pair = x[..., 1].long().clamp(1, POOL) - 1
    return {
        "the pairs": torch.equal(_plain(x), noise[pair]) and torch.equal(_plain(x_end), end[pair]),
        "the noise that is mirrored": _share(x[..., 0] < 0),
        "the pairs that are mirrored alike": _share((x[..., 0] < 0) == (x_end[..., 0] < 0)),
        "the ends that are mirrored": _share(x_end[..., 0] < 0),
        "the pairs of the pool that are drawn": len(x[..., 1].unique()),
    }


def _plain(points: torch.Tensor) -> torch.Tensor:
    """Return points without their mirroring."""
    return torch.cat([points[..., :1].abs(), points[..., 1:]], dim=-1)


def _share(which: torch.Tensor) -> str:
    """Describe how many of each place in a batch are meant, over all batches."""
    least, most = which.float().mean(0).aminmax()
    return "none" if most == 0 else "all" if least == 1 else "half" if least > 0.2 and most < 0.8 else "some"


EXERCISE = Exercise(
    mirrored_batch,
    level="medium",
    points=3,
    cases={"a pool whose pairs are known": _pool},
    observe=_observe,
    reveal=False,
)
