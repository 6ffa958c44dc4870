"""Lab 06: Euler's method, which follows a velocity from noise to an image."""

from collections.abc import Callable
from typing import Any

import torch

from srlab_course.exercises.velocities import expect_times
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def euler(velocity: Velocity, noise: torch.Tensor, steps: int) -> list[torch.Tensor]:
    """Follow a velocity from t = 0 to t = 1 in equal steps.

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
        path.append(path[-1] + velocity(path[-1], t) / steps)
    return path


def observe(answer: Answer, noise: torch.Tensor, steps: int) -> dict[str, Any]:
    """Run a sampler with a velocity that records its inputs."""
    times, places = [], []

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = expect_times(x, t, noise)
        times.append(t[0].item())
        places.append(x.detach().clone())
        return (1 + 2 * t).view(-1, *[1] * (x.ndim - 1)) - 0.7 * x

    path = filled(answer(velocity, noise, steps))
    if not isinstance(path, list | tuple):
        raise IncorrectAnswer("Return a list: the start, and the samples after each step.")
    return {
        "the times": ", ".join(f"{time:.3g}" for time in times),
        "where the velocity is computed": places,
        "the number of tensors": len(path),
        "the samples": list(path),
    }


CASES = {
    "four steps in the plane": (sample(3, 2, low=-1), 4),
    "images": (sample(2, 3, 4, 5, low=-1, seed=1), 3),
    "a single step": (sample(3, 2, low=-1, seed=2), 1),
}
MESSAGES = {  # also for `heun`
    "the number of tensors": "Your list should have steps + 1 tensors, the first of them the noise, but has {given}.",
    "the times": "The velocity is computed at the wrong times: {given}.",
    "where the velocity is computed": "The times are right. The velocity is computed at the wrong x: was each step "
    "before it as long as it should be, and in the right direction?",
    "the samples": "Times and places are right, but the samples aren't.",
}

EXERCISE = Exercise(
    euler,
    level="medium",
    points=3,
    cases=CASES,
    observe=observe,
    fallback_messages=MESSAGES,
    reveal=False,
)
