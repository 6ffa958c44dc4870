"""Lab 06: the mean velocity of all lines from normal noise to two points, in closed form."""

import torch

from srlab_course.feedback.exercise import Exercise, sample


def exact_velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return the mean velocity at places `x` and times `t` of the lines from N(0, 1) to -1 and +1, equally likely.

    Parameters
    ----------
    x, t
        ``(N,)``, or two shapes that broadcast; times from 0 to below 1.

    Returns
    -------
    torch.Tensor
        The shape of ``x + t``.
    """
    mean_end = torch.tanh(t * x / (1 - t) ** 2)  # P(+1 | x) - P(-1 | x)
    return (mean_end - x) / (1 - t)


EXERCISE = Exercise(
    exact_velocity,
    level="hard",
    points=4,
    cases={
        "before anything moves": (torch.linspace(-2, 2, 9), torch.zeros(9)),
        "on the way": (sample(64, low=-2, high=2), sample(64, high=0.85, seed=1)),
        "places and times that broadcast": (sample(5, 1, low=-2, high=2, seed=2), sample(3, high=0.85, seed=3)),
        "far out and late": (torch.tensor([-3.0, 3.0, 2.5]), torch.tensor([0.95, 0.97, 0.96])),
    },
    tolerance=1e-3,
    reveal=False,
)
