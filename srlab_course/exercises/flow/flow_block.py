"""Lab 06: a residual block that depends on the time, with its norm over the channels of each pixel."""

import copy
from contextlib import suppress
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.exercises.networks import ESCAPED, build, strays
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


class FlowBlock(nn.Module):
    """norm, gain and shift from the time, SiLU, conv, SiLU, conv, add: `srlab.models.FlowBlock`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.time = nn.Linear(64, 2 * features)
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        """Bring the channels of each pixel of ``(N, C, h, w)`` to mean 0 and variance 1."""
        centered = x - x.mean(1, keepdim=True)
        return centered * (centered.square().mean(1, keepdim=True) + 1e-5).rsqrt()  # faster than a root and a division

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 64)`` to ``(N, features, h, w)``."""
        gain, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = self.conv1(F.silu(self.norm(x) * (1 + gain) + shift))
        return x + self.conv2(F.silu(inner))


def odd_weights(network: nn.Module, model: nn.Module, *inputs: torch.Tensor) -> str:
    """Return the weights of a network whose name or shape isn't a model's; raise `IncorrectAnswer` if they escape."""
    found, wanted = (
        {name: str(tuple(value.shape)) for name, value in one.state_dict().items()} for one in (network, model)
    )
    odd = sorted({name for name, _ in found.items() ^ wanted.items()})
    if odd:
        with suppress(RuntimeError):  # of shapes that don't fit
            if escaped := strays(network, *inputs):
                raise IncorrectAnswer(ESCAPED[escaped])
    told = [f"{name} {found.get(name, '(missing)')}" for name in odd]
    return ", ".join(told[:6] + ["..."] * (len(told) > 6))


def set_weights(network: nn.Module) -> None:
    """Set each weight to values that depend on the order of the names, so layers may be created in any order."""
    for place, (_, value) in enumerate(sorted(network.named_parameters())):
        value.data = sample(*value.shape, low=-0.4, high=0.4, seed=place)


def without(network: nn.Module, *layers: str) -> nn.Module:
    """Return a copy of a network in which some layers return zero."""
    network = copy.deepcopy(network)
    for layer in layers:
        for value in network.get_submodule(layer).parameters():
            value.data.zero_()
    return network


def _observe(answer: Answer, x: torch.Tensor, time: torch.Tensor) -> dict[str, Any]:
    block = build(answer, x.shape[1])
    normed = filled(block.norm(x))
    found: dict[str, Any] = {"the layers": odd_weights(block, FlowBlock(x.shape[1]), x, time)}
    if found["the layers"]:
        return found
    found["the size of the maps"] = all(conv(x).shape == x.shape for conv in (block.conv1, block.conv2))
    if not found["the size of the maps"]:
        return found
    set_weights(block)
    output = filled(block(x, time))
    return found | {
        "the norm": normed,
        "the input is added at the end": without(block, "conv1", "conv2")(x, time),
        "the block with all of time's weights at zero": without(block, "time")(x, time),
        "the time changes the output": bool((block(x, time + 1) - output).abs().max() > 1e-4),
        "the output": output,
    }


EXERCISE = Exercise(
    FlowBlock,
    level="medium",
    points=4,
    cases={
        "a batch of three with its times": (sample(3, 6, 7, 5, low=-1), sample(3, 64, low=-1, seed=4)),
        "square maps with as many features": (sample(6, 6, 6, 6, low=-1, seed=5), sample(6, 64, low=-1, seed=6)),
        "pixels whose channels are equal": (sample(2, 1, 3, 4).repeat(1, 4, 1, 1), sample(2, 64, low=-1, seed=7)),
        "pixels whose channels are nearly equal": (
            sample(2, 1, 3, 4).repeat(1, 4, 1, 1) + 1e-4 * sample(2, 4, 3, 4, low=-1, seed=8),
            sample(2, 64, low=-1, seed=9),
        ),
    },
    observe=_observe,
    tolerance=1e-3,
    reveal=False,
)
