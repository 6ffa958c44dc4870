"""Lab 07: the squared error of a single step."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.exercises.velocities import expect_times
from srlab_course.feedback.exercise import Answer, Exercise, sample
from srlab_course.feedback.value_comparison import take

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def distill_loss(velocity: Velocity, noise: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of one step of length 1 from noise, compared with the teacher's end.

    Parameters
    ----------
    velocity
        Function of x, with the shape of `noise`, and of the time of each sample, ``(N,)``.
    noise, end
        ``(N, ...)``: noise, and where the teacher's path from it ends.

    Returns
    -------
    torch.Tensor
        ``()``, with its graph.
    """
    start = torch.zeros(len(noise), device=noise.device)
    return F.mse_loss(noise + velocity(noise, start), end)


def _observe(answer: Answer, noise: torch.Tensor, end: torch.Tensor) -> dict[str, Any]:
    seen = []

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        t = expect_times(x, t, noise)
        seen.append((x.detach().clone(), t.detach().clone()))
        return sample(*noise.shape, low=-1, seed=5).requires_grad_()

    loss = take(answer(velocity, noise, end), torch.zeros(()))
    return {
        "the number of runs of the velocity": len(seen),
        "the time": [t for _, t in seen],
        "where the velocity is computed": [x for x, _ in seen],
        "the loss": torch.as_tensor(loss).detach(),
        "the graph of the loss": isinstance(loss, torch.Tensor) and loss.requires_grad,
    }


EXERCISE = Exercise(
    distill_loss,
    level="medium",
    points=3,
    cases={
        "points in the plane": (sample(6, 2, low=-1), sample(6, 2, low=-2, seed=1)),
        "images": (sample(2, 3, 4, 8, low=-1, seed=2), sample(2, 3, 4, 8, low=-2, seed=3)),
    },
    observe=_observe,
    reveal=False,
)
