"""Lab 08: find the bug in a model of a sensor."""

import torch
import torch.nn.functional as F

from srlab_course.feedback.exercise import Exercise, sample


def fixed_sensor(image: torch.Tensor) -> torch.Tensor:
    """Return the mean of the middle 2 x 2 pixels of each 4 x 4 block: ``(N, C, H, W)`` to ``(N, C, H / 4, W / 4)``."""
    return F.avg_pool2d(image[..., 1:-1, 1:-1], kernel_size=2, stride=4)


def borrowed_sensor(image: torch.Tensor) -> torch.Tensor:
    """Return the mean of the middle 2 x 2 pixels of each 4 x 4 block. It has a bug."""
    return F.avg_pool2d(image, kernel_size=2, stride=4)


EXERCISE = Exercise(
    fixed_sensor,
    level="easy",
    points=3,
    cases={
        "one image": (sample(1, 3, 16, 24),),
        "several images": (sample(4, 1, 8, 8, seed=1),),
        "a single block": (torch.arange(16.0).view(1, 1, 4, 4),),
    },
)
