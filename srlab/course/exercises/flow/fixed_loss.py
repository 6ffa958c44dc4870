"""Lab 06: find the bug in a loss whose value is right, and whose samples miss the ring."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.course.exercise import Exercise
from srlab.course.exercises.flow.flow_loss import CASES, REVERSED, observe, variant
from srlab.course.exercises.flow.flow_loss import EXERCISE as FLOW_LOSS


def fixed_loss(velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], data: torch.Tensor) -> torch.Tensor:
    """Return the loss of `flow_loss`; the borrowed one mixed noise and data in the wrong order."""
    t = torch.rand(len(data), device=data.device)
    noise = torch.randn_like(data)
    part = t.view(-1, *[1] * (data.ndim - 1))
    x = torch.lerp(noise, data, part)
    return F.mse_loss(velocity(x, t), data - noise)


def borrowed_loss(velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], data: torch.Tensor) -> torch.Tensor:
    """Return the loss of another repository, which has a bug."""
    t = torch.rand(len(data), device=data.device)
    noise = torch.randn_like(data)
    part = t.view(-1, *[1] * (data.ndim - 1))
    x = torch.lerp(data, noise, part)
    return F.mse_loss(velocity(x, t), data - noise)


def _swapped(noise: torch.Tensor, data: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    return torch.lerp(data, noise, part)


EXERCISE = Exercise(
    fixed_loss,
    level="medium",
    points=3,
    cases=CASES,
    observe=observe,
    known_mistakes={
        "The bug is still there. The loss is right, so look at what the network gets. Print x for t = 0 and for t = 1, "
        "and compare with the sampler's start.": [borrowed_loss, variant(path=_swapped)],
        "Now the target is turned around as well. The network learns the way from data to noise, and your sampler "
        "starts from noise. Which of the two lines was right before?": (
            variant(path=_swapped, target=lambda noise, data, x: noise - data)
        ),
        **{hint: answers for hint, answers in FLOW_LOSS.known_mistakes.items() if hint != REVERSED},
    },
    also_accepted=[FLOW_LOSS.reference, *FLOW_LOSS.also_accepted, variant(path=_swapped, told=lambda t: 1 - t)],
    fallback_messages=FLOW_LOSS.fallback_messages,
    reveal=False,
    hints=(
        "The values of the two losses are alike, so the mean error is. Which input could be wrong for every t, and "
        "still make an equally difficult task?",
        "torch.lerp(start, end, weight) is start + weight * (end - start). What is it for weight 0?",
    ),
)
