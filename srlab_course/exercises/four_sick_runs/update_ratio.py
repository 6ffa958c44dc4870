"""Extra: how far a step moves the weights, relative to their size."""

from typing import Any

import torch
from torch import nn

from srlab_course.feedback.exercise import Answer, Exercise, sample
from srlab_course.feedback.value_comparison import take


def update_ratio(before: dict[str, torch.Tensor], network: nn.Module) -> dict[str, float]:
    """Measure how far a training step has moved each weight tensor, relative to its size before the step.

    Parameters
    ----------
    before
        Name -> copy of a weight tensor from before the step, for some of the network's named parameters.
    network
        The network after the step.

    Returns
    -------
    dict
        Name -> norm of the change / norm of the weights before, as a float, for each name in `before`.
    """
    after = dict(network.named_parameters())
    return {name: ((after[name] - old).norm() / old.norm()).item() for name, old in before.items()}


def _case(rate: float) -> tuple[dict[str, torch.Tensor], nn.Module]:
    """Return two weight tensors before a step, and a network whose weights have moved and have gradients."""
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Linear(4, 5))
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = sample(*parameter.shape, low=-0.5, high=0.7, seed=seed)
        parameter.grad = sample(*parameter.shape, low=-1, seed=10 + seed)
    before = {name: p.detach().clone() for name, p in network.named_parameters() if "weight" in name}
    for parameter in network.parameters():
        parameter.data -= rate * (parameter.grad + 0.3)
    return before, network


def _observe(answer: Answer, before: dict[str, torch.Tensor], network: nn.Module) -> dict[str, Any]:
    return {"the ratio of each weight tensor": take(answer(before, network), dict.fromkeys(before, 0.0))}


EXERCISE = Exercise(
    update_ratio,
    level="easy",
    points=3,
    cases={"a small step": lambda: _case(0.001), "a large step": lambda: _case(0.5)},
    observe=_observe,
    tolerance=1e-5,
)
