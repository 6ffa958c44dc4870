"""Lab 00: the mean of each block of pixels."""

import torch

from srlab_course.feedback.exercise import Exercise, sample


def shrink(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Return the mean of each block of `scale` x `scale` pixels.

    Parameters
    ----------
    image
        ``(N, C, H, W)``; `scale` divides H and W.
    scale
        Side of a block in pixels.

    Returns
    -------
    torch.Tensor
        ``(N, C, H / scale, W / scale)``.
    """
    n, channels, height, width = image.shape
    blocks = image.reshape(n, channels, height // scale, scale, width // scale, scale)
    return blocks.mean(dim=(3, 5))


EXERCISE = Exercise(
    shrink,
    level="easy",
    points=2,
    cases={
        "blocks of 4 x 4 pixels": (sample(2, 3, 8, 12), 4),
        "blocks of 3 x 3 pixels, one channel": (sample(1, 1, 9, 15, seed=1), 3),
        "values outside of [0, 1]": (sample(1, 3, 4, 6, low=-1, high=2, seed=2), 2),
    },
)
