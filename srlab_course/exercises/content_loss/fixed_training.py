"""Lab 02: find the bug in a training run whose feature network learns too."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from srlab_course.feedback.exercise import Answer, Exercise, sample
from srlab_course.feedback.value_comparison import take


def fixed_training(
    generator: nn.Module, network: nn.Module, patches: Iterator[tuple[torch.Tensor, torch.Tensor]], steps: int
) -> list[float]:
    """Train a generator with the distance of two images in the feature maps of a network.

    Parameters
    ----------
    generator
        Network from LR to SR.
    network
        Feature network that returns a dict name -> maps. Its weights stay as they are.
    patches
        Iterator over pairs (lr, hr).
    steps
        Number of training steps.

    Returns
    -------
    list
        The loss of each step.
    """
    network.eval().requires_grad_(False)
    model = nn.Sequential(generator, network)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    history = []
    for _ in range(steps):
        lr, hr = next(patches)
        found, wanted = model(lr), network(hr)
        loss = sum(F.mse_loss(found[name], wanted[name]) for name in wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


class _Network(nn.Module):
    """Two maps, without batch norm or dropout, like vgg6."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        _fill(self)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        early = torch.tanh(self.early(image))
        return {"early": early, "late": F.relu(self.late(F.avg_pool2d(early, 2)))}


def _fill(network: nn.Module) -> nn.Module:
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = sample(*parameter.shape, low=-0.5, high=0.5, seed=seed)
    return network


def _case() -> tuple[Any, ...]:
    generator = _fill(nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2)))
    pairs = [(sample(2, 3, 6, 4, seed=10 + i), sample(2, 3, 12, 8, seed=20 + i)) for i in range(3)]
    return generator, _Network(), pairs


def _weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


def _observe(answer: Answer, generator: nn.Module, network: nn.Module, pairs: list[Any]) -> dict[str, Any]:
    before, start = copy.deepcopy(network.state_dict()), _weights(generator)
    history = take(answer(generator, network, iter(pairs), len(pairs)), [0.0] * len(pairs))
    learned = _weights(generator)
    moved = [name for name, weight in network.state_dict().items() if not torch.equal(weight, before[name])]
    return {
        "the generator learns": not torch.equal(learned, start),
        "weights of the feature network that change": ", ".join(moved),
        "the loss of each step": history,
        "the weights of the generator": learned,
        "no gradients in the feature network": all(parameter.grad is None for parameter in network.parameters()),
    }


EXERCISE = Exercise(
    fixed_training,
    level="medium",
    points=4,
    cases={"the feature network stays as it is, and the generator learns": _case},
    observe=_observe,
    reveal=False,
)
