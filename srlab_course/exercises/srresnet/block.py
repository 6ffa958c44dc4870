"""Lab 01: the residual block of MSRResNet."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.exercises.networks import MESSAGES, build, observe_network
from srlab_course.feedback.exercise import Answer, Exercise, sample


class Block(nn.Module):
    """conv 3x3, ReLU, conv 3x3, add; `srlab.models.ResidualBlockNoBN` does the same."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))


def _observe(answer: Answer, x: torch.Tensor) -> dict[str, Any]:
    return observe_network(build(answer, x.shape[1]), x)


EXERCISE = Exercise(
    Block,
    level="easy",
    points=2,
    cases={"conv, ReLU, conv, and the input added at the end": (sample(2, 6, 7, 9, low=-1),)},
    observe=_observe,
    fallback_messages=MESSAGES,
)
