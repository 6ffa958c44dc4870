"""Lab 07: two pools in which noise and ends are no longer paired."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, sample
from srlab_course.feedback.value_comparison import take

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def control_pools(pool: list[Example]) -> tuple[list[Example], list[Example]]:
    """Return two copies of a pool in which noise and ends are not paired.

    Parameters
    ----------
    pool
        For each photo, its LR image ``(3, h, w)``, noise and ends ``(N, 3, 4h, 4w)``. It is not changed.

    Returns
    -------
    tuple of two lists like `pool`
        First with the ends of each photo shuffled, so that none keeps its noise, then with zeros as noise.
    """
    shuffled = [(lr, noise, end.roll(1, 0)) for lr, noise, end in pool]
    zeros = [(lr, torch.zeros_like(noise), end) for lr, noise, end in pool]
    return shuffled, zeros


def _sorted(images: torch.Tensor) -> torch.Tensor:
    """Return images in the order of their first pixel, so that their order doesn't count."""
    return images[images[:, 0, 0, 0].argsort()]


def _observe(answer: Answer, pool: list[Example]) -> dict[str, Any]:
    shuffled, zeros = take(answer(pool), (pool, pool))
    tied = torch.cat([(noise == -end).flatten(1).all(1) for _, noise, end in shuffled])
    return {
        "the LR images": [lr for lr, _, _ in (*shuffled, *zeros)],
        "ends that keep their noise": "all" if tied.all() else "some" if tied.any() else "none",
        "the noise of the first pool": [_sorted(noise) for _, noise, _ in shuffled],
        "the ends of the first pool": [_sorted(end) for _, _, end in shuffled],
        "the noise of the second pool": [noise for _, noise, _ in zeros],
        "the ends of the second pool": [end for _, _, end in zeros],
    }


def _pool(photos: int, count: int) -> list[Example]:
    """Return a pool in which each end is its noise with the other sign."""
    noise = [sample(count, 3, 8, 12, low=-1, seed=photo) for photo in range(photos)]
    return [(sample(3, 2, 3, seed=100 + photo), one, -one) for photo, one in enumerate(noise)]


EXERCISE = Exercise(
    control_pools,
    level="medium",
    points=3,
    # A random order moves all ends of ten photos once in 60,000 times.
    cases={"ten photos with three answers each": (_pool(10, 3),), "one photo with two answers": (_pool(1, 2),)},
    observe=_observe,
    reveal=False,
)
