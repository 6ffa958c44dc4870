"""Lab 07: the squared error of a single step."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.velocities import expect_times

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

    loss = torch.as_tensor(filled(answer(velocity, noise, end)))
    return {
        "the number of runs of the velocity": len(seen),
        "the time": [t for _, t in seen],
        "where the velocity is computed": [x for x, _ in seen],
        "the loss": loss.detach(),
        "the graph of the loss": loss.requires_grad,
    }


def _variant(
    start: Answer = lambda noise, end: noise,
    time: Answer = lambda noise: torch.zeros(len(noise)),
    arrive: Answer = lambda noise, move: noise + move,
    target: Answer = lambda noise, end: end,
    loss: Answer = F.mse_loss,
) -> Answer:
    """Return a loss with some parts replaced."""

    def answer(velocity: Velocity, noise: torch.Tensor, end: torch.Tensor) -> Any:
        x = start(noise, end)
        return loss(arrive(x, velocity(x, time(noise))), target(noise, end))

    return answer


def _reflow(velocity: Velocity, noise: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(noise))
    part = t.view(-1, *[1] * (noise.ndim - 1))
    return F.mse_loss(velocity((1 - part) * noise + part * end, t), end - noise)


EXERCISE = Exercise(
    distill_loss,
    level="medium",
    points=3,
    cases={
        "points in the plane": (sample(6, 2, low=-1), sample(6, 2, low=-2, seed=1)),
        "images": (sample(2, 3, 4, 8, low=-1, seed=2), sample(2, 3, 4, 8, low=-2, seed=3)),
    },
    observe=_observe,
    known_mistakes={
        "Your time is 1. The step starts at the noise: which time is that in lab 06?": (
            _variant(time=lambda noise: torch.ones(len(noise)))
        ),
        "Your times are random. That's lab 06's loss with new pairs, which helps a sampler of several steps. A single "
        "step only starts from noise: at which time?": [_variant(time=lambda noise: torch.rand(len(noise))), _reflow],
        "Your step starts from the end. At inference you only have noise.": _variant(start=lambda noise, end: end),
        "Your step starts from new noise, which the teacher never saw. Which noise belongs to this end?": (
            _variant(start=lambda noise, end: torch.randn_like(noise))
        ),
        "You compare a velocity with an end. Where does a step of length 1 from the noise arrive?": (
            _variant(arrive=lambda noise, move: move)
        ),
        "You compare where the step arrives with the way to the end. Compare two places, or two ways.": (
            _variant(target=lambda noise, end: end - noise)
        ),
        "Your step goes backward: it arrives at the noise plus the velocity.": (
            _variant(arrive=lambda noise, move: noise - move)
        ),
        "Your loss is a sum. Take the mean, or the learning rate would depend on the size of the batch.": [
            _variant(loss=lambda a, b: (a - b).square().sum()),
        ],
        "Your loss is the absolute error. This lab is about the squared error.": _variant(loss=F.l1_loss),
        "Your loss is a root. Leave the square.": _variant(loss=lambda a, b: F.mse_loss(a, b).sqrt()),
        "Your loss has one number per sample. Take the mean of all.": (
            _variant(loss=lambda a, b: (a - b).square().flatten(1).mean(1))
        ),
        "You return a number without a graph, so nothing can learn from it. Don't call item or detach, and don't use "
        "no_grad.": [
            _variant(loss=lambda a, b: F.mse_loss(a, b).item()),
            _variant(loss=lambda a, b: F.mse_loss(a, b).detach()),
        ],
    },
    also_accepted=[
        _variant(),
        _variant(arrive=lambda noise, move: move, target=lambda noise, end: end - noise),
        _variant(loss=lambda a, b: (b - a).square().mean()),
        _variant(time=lambda noise: noise.new_zeros(len(noise))),
    ],
    fallback_messages={
        "the number of runs of the velocity": "Run velocity once: this is a single step.",
        "the time": "The velocity is computed at another time than the start's.",
        "where the velocity is computed": "The velocity isn't computed at the noise.",
        "the loss": "Time and place are right, but the loss isn't the mean squared error of where the step arrives.",
    },
    reveal=False,
    hints=(
        "It's one step of euler, of length 1, from the noise. Then compare with the end.",
        "The time of each sample is torch.zeros(len(noise)). The step arrives at noise + velocity(noise, time).",
    ),
)
