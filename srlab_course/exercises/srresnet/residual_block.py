"""Lab 01: the residual block of SRResNet, whose published code shared a batch norm."""

from typing import Any

import torch
import torch.nn as nn

from srlab_course.exercises.networks import MESSAGES, build, calls, observe_network, reaches
from srlab_course.feedback.exercise import Answer, Exercise, sample


class ResidualBlock(nn.Module):
    """conv, BN, PReLU, conv, BN, add (Ledig et al. 2017, figure 4), as in `srlab.models.ResidualBlock`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(features)
        self.act = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        inner = self.act(self.norm1(self.conv1(x)))
        return x + self.norm2(self.conv2(inner))


def _observe(answer: Answer, x: torch.Tensor) -> dict[str, Any]:
    block = build(answer, x.shape[1])
    observed = observe_network(block, x)
    observed.pop("a bias in each")  # batch norm removes it
    trained = observed.pop("the output")
    known = {id(weights) for call in calls(block, x) for weights in call.weights}
    slopes = [parameter for parameter in block.parameters() if id(parameter) not in known]
    slope = "fixed" if not slopes else "learned" if reaches(block(x).sum(), slopes) else "unused"
    return observed | {
        "the slope of the activation": slope,
        "the output": trained,
        "the running statistics of batch norm": not torch.allclose(block.eval()(x), trained, atol=1e-3),
    }


EXERCISE = Exercise(
    ResidualBlock,
    level="medium",
    points=4,
    cases={"conv, BN, PReLU, conv, BN, and the input added at the end": (sample(2, 6, 7, 9, low=-1),)},
    observe=_observe,
    fallback_messages=MESSAGES,
)
