"""Lab 06: find the bug in a loss whose value is right, and whose samples miss the ring."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab_course.exercises.flow.flow_loss import CASES, MESSAGES, observe
from srlab_course.feedback.exercise import Exercise


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


EXERCISE = Exercise(
    fixed_loss,
    level="medium",
    points=3,
    cases=CASES,
    observe=observe,
    fallback_messages=MESSAGES,
    reveal=False,
)
