"""Lab 04: a dense block."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.exercises.networks import MESSAGES, build, calls, observe_network, reaches
from srlab_course.feedback.exercise import Answer, Exercise, sample


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees x and all outputs before it (Wang et al. 2018, figure 4).

    It is `srlab.models.ResidualDenseBlock`, with the same names of its layers.

    Parameters
    ----------
    features
        Number of input and output channels.
    growth
        Number of channels that each convolution except the last adds.
    residual_scale
        Factor on the output of the last convolution, before the skip is added.
    """

    def __init__(self, features: int, growth: int, residual_scale: float = 0.2) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2)), dim=1)
        return x + self.residual_scale * self.conv5(seen)


def _observe(answer: Answer, x: torch.Tensor, growth: int, *residual_scale: float) -> dict[str, Any]:
    block = build(answer, x.shape[1], growth, *residual_scale)
    convs = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    if any(conv(torch.zeros(1, conv.in_channels, 5, 5)).shape[2:] != (5, 5) for conv in convs):
        return {"convolutions that keep the size": False}
    observed = {"convolutions that keep the size": True} | observe_network(block, x)
    output = observed.pop("the output")
    used = calls(block, x)
    return observed | {
        "the channels": ", ".join(f"{call.input.shape[1]} to {call.output.shape[1]}" for call in used),
        "what each convolution sees": {f"convolution {place}": call.input for place, call in enumerate(used, 1)},
        "the output": output,
        "the names of the weights": ", ".join(sorted(block.state_dict())),
        "a gradient": reaches(block(x).sum(), block.parameters()),
    }


EXERCISE = Exercise(
    DenseBlock,
    level="hard",
    points=5,
    cases={
        "each convolution sees everything before it, and 0.2 times the fifth is added to x": (
            sample(2, 6, 7, 9, low=-1),
            4,
        ),
        "a different residual_scale": (sample(2, 6, 7, 9, low=-1, seed=1), 4, 0.5),
    },
    observe=_observe,
    fallback_messages=MESSAGES,
    tolerance=1e-3,
    reveal=False,
)
