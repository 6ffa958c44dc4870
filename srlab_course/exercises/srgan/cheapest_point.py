"""Lab 03: the point with the smallest mean squared distance to all real points."""

import torch

from srlab_course.feedback.exercise import Exercise, sample


def cheapest_point(points: torch.Tensor) -> torch.Tensor:
    """Return the one answer that costs least if any of the points can be the right one.

    Parameters
    ----------
    points
        Real points, ``(n, 2)``, all equally likely.

    Returns
    -------
    torch.Tensor
        Point with the smallest mean squared distance to them, ``(2,)``.
    """
    return points.mean(dim=0)


EXERCISE = Exercise(
    cheapest_point,
    level="easy",
    points=2,
    cases={
        "three points": (torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 6.0]]),),
        "two hundred points": lambda: (sample(200, 2, low=-1.0, high=3.0) ** 3,),
    },
)
