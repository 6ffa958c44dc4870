"""Lab 06: Heun's method, whose steps move by the mean of the velocities at both ends."""

from collections.abc import Callable

import torch

from srlab_course.exercises.flow.euler import CASES, MESSAGES, observe
from srlab_course.feedback.exercise import Exercise

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def heun(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    """Follow a velocity from t = 0 to t = 1 in equal steps of Heun's method; the last step is Euler's.

    Parameters
    ----------
    velocity
        Function of x and of the time of each sample, ``(N,)``.
    noise
        ``(N, ...)``, the start.

    Returns
    -------
    list of torch.Tensor
        The start, and where the samples are after each step: ``steps + 1`` tensors.
    """
    path = [noise]
    for step in range(steps):
        t = torch.full((len(noise),), step / steps, device=noise.device)
        move = velocity(path[-1], t)
        if step < steps - 1:
            move = (move + velocity(path[-1] + move / steps, t + 1 / steps)) / 2
        path.append(path[-1] + move / steps)
    return path


EXERCISE = Exercise(
    heun,
    level="medium",
    points=3,
    cases=CASES,
    observe=observe,
    fallback_messages=MESSAGES,
    reveal=False,
)
