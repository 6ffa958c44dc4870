"""Lab 03: the point with the smallest mean squared distance to all real points."""

import torch

from srlab.course.exercise import Exercise, sample


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


def _best_of_them(points: torch.Tensor) -> torch.Tensor:
    costs = (points[:, None] - points).square().sum(-1).mean(1)
    return points[costs.argmin()]


EXERCISE = Exercise(
    cheapest_point,
    level="easy",
    points=2,
    cases={
        "three points": (torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 6.0]]),),
        "two hundred points": lambda: (sample(200, 2, low=-1.0, high=3.0) ** 3,),
    },
    known_mistakes={
        "That's one of the real points. A point between them can cost less. Where is the derivative of the mean "
        "squared distance zero?": [_best_of_them, lambda points: points[0]],
        "That's the median, which has the smallest absolute distance in each coordinate. Which number has the smallest "
        "squared one? Lab 01 derived it.": lambda points: points.median(dim=0).values,
        "You average along the wrong dimension, so you get one number per point. The point needs one number per "
        "coordinate: which dimension are the points in?": lambda points: points.mean(dim=1),
        "You average all numbers together, both coordinates in one. How do you average each coordinate?": (
            lambda points: points.mean()
        ),
        "You return the origin, which is right only for a ring around it. What do you get for three other points?": (
            lambda points: torch.zeros(2)
        ),
        "You add the points up. By what do you still have to divide?": lambda points: points.sum(dim=0),
    },
    also_accepted=[
        lambda points: points.sum(0) / len(points),
        lambda points: torch.stack([points[:, 0].mean(), points[:, 1].mean()]),
    ],
    hints=(
        "Call the answer a. In each coordinate, what is the derivative of the mean of (a - x)² with respect to a, and "
        "where is it zero?",
        "Lab 01 has the same derivation, for gray values. There the answer was the mean of all pieces that fit.",
    ),
)
