"""Lab 07: the loop that draws the pool, which is all that a one-step network learns from."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.resampling import downsample
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, sample
from srlab_course.feedback.value_comparison import take

Ends = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def draw_pool(ends_of: Ends, photos: list[torch.Tensor], count: int, random: torch.Generator) -> list[Example]:
    """Draw several samples of a teacher for the LR image of each photo.

    Parameters
    ----------
    ends_of
        Teacher: ``ends_of(lr, noise)`` with `lr` ``(1, 3, h, w)`` and `noise` ``(N, 3, 4h, 4w)`` returns where the
        paths from this noise end, ``(N, 3, 4h, 4w)``.
    photos
        HR images, ``(1, 3, H, W)``, with sides that 4 divides.
    count
        Number of samples per photo.
    random
        Generator of all noise, which is standard normal.

    Returns
    -------
    list of tuples
        LR image ``(3, h, w)``, noise and its ends ``(count, 3, H, W)``, for each photo.
    """
    pool = []
    for photo in photos:
        lr = downsample(photo, 4)
        noise = torch.randn(count, *photo.shape[1:], generator=random)
        pool.append((lr[0], noise, ends_of(lr, noise)))
    return pool


def _teacher(lr: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return ends that depend on each LR pixel and on each number of the noise."""
    if lr.ndim != 4 or [4 * side for side in lr.shape[2:]] != list(noise.shape[2:]):
        raise IncorrectAnswer(
            "ends_of needs an LR image (1, 3, h, w) and noise (N, 3, 4h, 4w). "
            f"Yours have the shapes {tuple(lr.shape)} and {tuple(noise.shape)}."
        )
    return 0.5 * noise + F.interpolate(lr, scale_factor=4) - 0.1 * noise.roll(1, -1)


def _observe(answer: Answer, photos: list[torch.Tensor], count: int) -> dict[str, Any]:
    pool, wanted = (draw(_teacher, photos, count, torch.Generator().manual_seed(1)) for draw in (answer, draw_pool))
    lr, noise, ends = zip(*take(pool, wanted), strict=True)
    return {"the LR images": lr, "the noise": noise, "the ends": ends}


EXERCISE = Exercise(
    draw_pool,
    level="medium",
    points=4,
    cases={
        "three photos, three answers each": (
            [sample(1, 3, *size, seed=size[0]) for size in [(32, 48), (40, 32), (48, 32)]],
            3,
        ),
        "one photo": ([sample(1, 3, 48, 64, seed=4)], 2),
    },
    observe=_observe,
    reveal=False,
)
