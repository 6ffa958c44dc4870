"""Lab 06: the whole network of a flow, from LR, noisy detail and time to the velocity."""

import math
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.models.flow import waves
from srlab_course.exercises.flow.flow_block import FlowBlock, odd_weights, set_weights, without
from srlab_course.exercises.networks import build
from srlab_course.feedback.exercise import Answer, Exercise, filled, sample
from srlab_course.feedback.value_comparison import take


class FlowNet(nn.Module):
    """Velocity of a flow for x4 super-resolution, `srlab.models.FlowNet` without its sampler.

    Parameters
    ----------
    num_blocks, num_features
        Size of the network.
    """

    def __init__(self, num_blocks: int, num_features: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.head = nn.Conv2d(48 + 3, num_features, 3, padding=1)
        self.blocks = nn.ModuleList(FlowBlock(num_features) for _ in range(num_blocks))
        self.tail = nn.Conv2d(num_features, 48, 3, padding=1)

    def inputs(self, lr: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Join detail ``(N, 3, 4h, 4w)``, unshuffled, and LR ``(N, 3, h, w)``, spread over [-2, 2], on the LR grid."""
        return torch.cat([F.pixel_unshuffle(x, 4), 4 * (lr - 0.5)], dim=1)

    def forward(self, lr: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Map LR ``(N, 3, h, w)``, detail ``(N, 3, 4h, 4w)`` and times ``(N,)`` to the velocity of the detail."""
        time = self.embed(waves(t))
        features = self.head(self.inputs(lr, x))
        for block in self.blocks:
            features = block(features, time)
        change = F.pixel_shuffle(self.tail(F.silu(self.blocks[-1].norm(features))), 4)
        t = t.view(-1, 1, 1, 1)
        clean = t**4 * x + change
        return (clean - x) / (1 - t).clamp(min=0.05)


def _observe(answer: Answer, lr: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> dict[str, Any]:
    network = build(answer, 2, 5)
    joined = filled(network.inputs(lr, x))
    found: dict[str, Any] = {"the shape of inputs": str(tuple(getattr(joined, "shape", ())))}
    if found["the shape of inputs"] != str((len(lr), 51, *lr.shape[2:])):
        return found
    found["x in inputs"], of_lr = joined[:, :48], joined[:, 48:]
    found["the values of LR in inputs"] = f"{of_lr.min():.3g} to {of_lr.max():.3g}"
    found["LR in inputs"] = of_lr
    found["the layers"] = odd_weights(network, FlowNet(2, 5), lr, x, t)
    if found["the layers"]:
        return found
    set_weights(network)
    output = take(network(lr, x, t), x)
    found["the velocity while the last layer returns zero"] = without(network, "tail")(lr, x, t)
    weights = dict(network.named_parameters())
    found["separate weights"] = len(weights) == len(network.state_dict())
    output.square().sum().backward()
    idle = {name.rpartition(".")[0] for name, weight in weights.items() if weight.grad is None or not weight.grad.any()}
    return found | {"layers without an effect": ", ".join(sorted(idle)), "the velocity": output.detach()}


def _ramp(*shape: int) -> torch.Tensor:
    """Return LR images with all values from 0 to 1."""
    return torch.linspace(0, 1, math.prod(shape)).view(shape)


EXERCISE = Exercise(
    FlowNet,
    level="hard",
    points=5,
    cases={
        "two images on their way": (
            _ramp(2, 3, 5, 3),
            sample(2, 3, 20, 12, low=-2, high=2, seed=1),
            torch.tensor([0.0, 0.7]),
        ),
        "eight images, each with its own time": (
            _ramp(8, 3, 2, 2),
            sample(8, 3, 8, 8, low=-2, high=2, seed=3),
            torch.linspace(0.1, 0.9, 8),
        ),
        "close to the end": (
            _ramp(3, 3, 3, 4),
            sample(3, 3, 12, 16, low=-2, high=2, seed=5),
            torch.tensor([0.94, 0.98, 1.0]),
        ),
    },
    observe=_observe,
    tolerance=2e-3,
    reveal=False,
)
