"""Lab 01: the expected squared error of one answer, where many ground truths are possible."""

import torch

from srlab_course.feedback.exercise import Exercise, sample


def cost(answer: torch.Tensor, pieces: torch.Tensor) -> float:
    """Return the expected MSE of an answer: its mean over all ground truths that are possible.

    Parameters
    ----------
    answer
        The image that is answered, ``(1, H, W)``.
    pieces
        ``(N, 1, H, W)``: N ground truths, each equally likely.

    Returns
    -------
    float
        0 only if all pieces equal the answer.
    """
    return (answer - pieces).square().mean().item()


# The differences are far from symmetric, and the two patches have different numbers of pieces and pixels.
EXERCISE = Exercise(
    cost,
    level="easy",
    points=2,
    cases={
        "a patch and nine pieces": (sample(1, 3, 4, low=0.2, high=0.7, seed=1), sample(9, 1, 3, 4, seed=2) ** 2),
        "another size, and five pieces": (sample(1, 6, 5, seed=3), sample(5, 1, 6, 5, low=0.4, seed=4)),
        "a single piece": (sample(1, 3, 4, seed=5), sample(1, 1, 3, 4, seed=6)),
    },
    tolerance=1e-5,
)
