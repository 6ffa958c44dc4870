"""Lab 07: noise and the ends to which a flow takes it, the examples of a student."""

from collections.abc import Callable
from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Sampler = Callable[[Velocity, torch.Tensor, int], list[torch.Tensor]]


def pairs(follow: Sampler, velocity: Velocity, noise: torch.Tensor, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return noise, and where a flow takes it, both without a graph.

    Parameters
    ----------
    follow
        Sampler such as `heun`: ``follow(velocity, noise, steps)`` returns a list of ``steps + 1`` tensors.
    velocity
        The teacher's velocity.
    noise
        ``(N, ...)``.

    Returns
    -------
    tuple of torch.Tensor
        `noise`, and the end of its path without a graph.
    """
    with torch.no_grad():
        return noise, follow(velocity, noise, steps)[-1]


def _observe(answer: Answer, noise: torch.Tensor, steps: int) -> dict[str, Any]:
    learnable, calls, original = torch.tensor(1.0, requires_grad=True), [], noise.clone()

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return learnable * (0.5 - x)

    def follow(velocity: Velocity, start: torch.Tensor, count: int) -> list[torch.Tensor]:
        if not isinstance(start, torch.Tensor) or start.shape != noise.shape:
            raise IncorrectAnswer("The sampler's second argument is the noise, where its path begins.")
        if not callable(velocity) or not isinstance(count, int):
            raise IncorrectAnswer("Call the sampler as follow(velocity, noise, steps).")
        calls.append((torch.equal(start, original), count, torch.is_grad_enabled()))
        path = [start]
        for step in range(count):
            path.append(path[-1] + velocity(path[-1], torch.full((len(start),), step / count)) / count)
        return path

    result = filled(answer(follow, velocity, noise, steps))
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise IncorrectAnswer("Return two tensors: the noise and its end.")
    return {
        "the number of runs of the sampler": len(calls),
        "the sampler starts from noise": all(call[0] for call in calls),
        "the number of steps": ", ".join(str(call[1]) for call in calls),
        "the noise": filled(result[0]),
        "the end": filled(result[1]),
        "a graph in the result": any(isinstance(part, torch.Tensor) and part.requires_grad for part in result),
        "an inference tensor in the result": any(getattr(part, "is_inference", bool)() for part in result),
        "a graph while the teacher runs": any(call[2] for call in calls),
    }


EXERCISE = Exercise(
    pairs,
    level="easy",
    points=2,
    cases={
        "points in the plane": (sample(5, 2, low=-1), 4),
        "images": (sample(2, 3, 4, 8, low=-1, seed=1), 3),
    },
    observe=_observe,
    reveal=False,
)
