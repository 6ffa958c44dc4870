"""Lab 01: the tail of MSRResNet, from features to the SR image."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.exercises.networks import MESSAGES, build, observe_network
from srlab_course.feedback.exercise import Answer, Exercise, sample


class Tail(nn.Module):
    """For each factor conv, pixel shuffle and leaky ReLU; conv, leaky ReLU, conv to RGB; add the bilinear image."""

    def __init__(self, features: int, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = factors
        self.grow = nn.ModuleList(nn.Conv2d(features, features * factor**2, 3, padding=1) for factor in factors)
        self.conv = nn.Conv2d(features, features, 3, padding=1)
        self.last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 3, h, w)`` to ``(N, 3, scale * h, scale * w)``."""
        x = features
        for conv, factor in zip(self.grow, self.factors, strict=True):
            x = F.leaky_relu(F.pixel_shuffle(conv(x), factor), 0.1)
        detail = self.last(F.leaky_relu(self.conv(x), 0.1))
        return detail + F.interpolate(lr, size=detail.shape[-2:], mode="bilinear")


def _observe(answer: Answer, features: torch.Tensor, lr: torch.Tensor, factors: list[int]) -> dict[str, Any]:
    return observe_network(build(answer, features.shape[1], list(factors)), features, lr)


EXERCISE = Exercise(
    Tail,
    level="medium",
    points=3,
    cases={
        "two steps of 2": (sample(2, 5, 5, 6, low=-1, seed=1), sample(2, 3, 5, 6), [2, 2]),
        "one step of 3": (sample(1, 4, 5, 6, low=-1, seed=1), sample(1, 3, 5, 6), [3]),
        "three steps of 2": (sample(1, 2, 3, 4, low=-1, seed=1), sample(1, 3, 3, 4), [2, 2, 2]),
    },
    observe=_observe,
    tolerance=1e-3,
    fallback_messages=MESSAGES,
)
