"""Lab 00: the weights that downscale a row of pixels."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise
from srlab.data.resampling import cubic


def downscale_matrix(size: int, scale: int, kernel: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return the weights of the old pixels in each new one: center, stretch, normalize.

    Parameters
    ----------
    size
        Number of pixels in the old row, a multiple of `scale`.
    scale
        Old pixels per new one.
    kernel
        Weight as a function of distance in new pixels; takes a tensor of signed distances.

    Returns
    -------
    torch.Tensor
        ``(size // scale, size)``; each row adds up to 1.
    """
    centers = scale * torch.arange(size // scale) + (scale - 1) / 2
    weights = kernel((torch.arange(size) - centers[:, None]) / scale)
    return weights / weights.sum(dim=1, keepdim=True)


def _matrix(
    center: Callable[[torch.Tensor, int], torch.Tensor] = lambda i, scale: (i + 0.5) * scale - 0.5,
    stretch: Callable[[torch.Tensor, int], torch.Tensor] = lambda away, scale: away / scale,
    share: Callable[[torch.Tensor], torch.Tensor] = lambda weights: weights / weights.sum(dim=1, keepdim=True),
) -> Answer:
    """Return the matrix with each of its three parts right or wrong."""

    def answer(size: int, scale: int, kernel: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        centers = center(torch.arange(size // scale).float(), scale)
        return share(kernel(stretch(torch.arange(size) - centers[:, None], scale)))

    return answer


def _by_a_loop(size: int, scale: int, kernel: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    rows = []
    for i in range(size // scale):
        weights = kernel((torch.arange(size) - ((i + 0.5) * scale - 0.5)) / scale)
        rows.append(weights / weights.sum())
    return torch.stack(rows)


def _linear(x: torch.Tensor) -> torch.Tensor:
    return (1 - x.abs()).clamp(min=0)


EXERCISE = Exercise(
    downscale_matrix,
    level="medium",
    points=5,
    cases={
        "a linear kernel at scale 4": (16, 4, _linear),
        "the cubic kernel at scale 3": (18, 3, cubic),
        "scale 2": (12, 2, cubic),
    },
    known_mistakes={
        "Your kernel is half a pixel or more off: new pixel 0 replaces the old ones from 0 to scale - 1. Where is "
        "their center?": [
            _matrix(center=lambda i, scale: i * scale),
            _matrix(center=lambda i, scale: (i + 0.5) * scale),
            _matrix(center=lambda i, scale: i * scale + scale // 2),
        ],
        "Your kernel isn't stretched: you count distances in old pixels, so only the nearest few count and the others "
        "are thrown away. That is aliasing. In which pixels does the kernel count?": _matrix(
            stretch=lambda away, scale: away
        ),
        "Your kernel is squeezed instead of stretched: your distances get larger where they should get "
        "smaller.": _matrix(stretch=lambda away, scale: away * scale),
        "Your rows don't add up to 1, so a gray photo gets brighter or darker.": [
            _matrix(share=lambda weights: weights),
            _matrix(share=lambda weights: weights / weights.sum()),
        ],
        "Your columns add up to 1, but the rows should: each new pixel is an average.": _matrix(
            share=lambda weights: weights / weights.sum(dim=0)
        ),
        "You divide the rows by scale. The kernel's weights don't add up to exactly that, least of all at the border. "
        "Divide each row by its own sum.": _matrix(share=lambda weights: weights / 4),
        "kernel takes a tensor of distances, not a number. Pass all distances at once, or one row of them.": (
            lambda size, scale, kernel: kernel((0 - (scale - 1) / 2) / scale)  # as in a loop over rows and columns
        ),
        "Your matrix is transposed: it needs one row per new pixel.": lambda *given: downscale_matrix(*given).T,
        "That is softmax, which exponentiates. Divide the weights themselves by their sum.": _matrix(
            share=lambda weights: weights.softmax(dim=1)
        ),
    },
    also_accepted=[_by_a_loop],
    hints=(
        "First subtract each center from each old position: torch.arange(size) - centers[:, None] has one row per new "
        "pixel. Then count these distances in new pixels.",
        "The distance of old pixel j is (j - center) / scale. Pass all distances to the kernel, and divide each row of "
        "weights by its own sum.",
    ),
)
