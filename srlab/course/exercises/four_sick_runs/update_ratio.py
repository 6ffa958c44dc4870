"""Extra: how far a step moves the weights, relative to their size."""

from typing import Any

import torch
from torch import nn

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, sample


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
    found = answer(before, network)
    if isinstance(found, dict):
        found = {
            name: float(value) if torch.is_tensor(value) and not value.dim() else value for name, value in found.items()
        }
    return {"the ratio of each weight tensor": take(found, dict.fromkeys(before, 0.0))}


def _with(measure: Any) -> Answer:
    """Return an answer that applies a function to a parameter and its tensor from before the step."""

    def answer(before: dict[str, torch.Tensor], network: nn.Module) -> dict[str, float]:
        after = dict(network.named_parameters())
        return {name: float(measure(after[name].detach(), old, after[name].grad)) for name, old in before.items()}

    return answer


def _all(before: dict[str, torch.Tensor], network: nn.Module) -> dict[str, float]:
    after = network.state_dict()
    return {name: float((value - before.get(name, 0.9 * value)).norm() / value.norm()) for name, value in after.items()}


EXERCISE = Exercise(
    update_ratio,
    level="easy",
    points=3,
    cases={"a small step": lambda: _case(0.001), "a large step": lambda: _case(0.5)},
    observe=_observe,
    known_mistakes={
        "That's the gradient. What did the step do to the weights? Adam, for example, moves a weight by about the "
        "learning rate, however small its gradient is.": [
            _with(lambda new, old, grad: grad.norm() / old.norm()),
            _with(lambda new, old, grad: grad.norm() / new.norm()),
            _with(lambda new, old, grad: grad.std() / old.std()),
        ],
        "Your ratio is relative to the weights after the step. Divide by their size before it.": (
            _with(lambda new, old, grad: (new - old).norm() / new.norm())
        ),
        "You compare the two sizes, but weights can turn without growing. Take the size of the difference, not the "
        "difference of the sizes.": [
            _with(lambda new, old, grad: new.norm() - old.norm()),
            _with(lambda new, old, grad: (new.norm() - old.norm()) / old.norm()),
            _with(lambda new, old, grad: (new.norm() - old.norm()).abs() / old.norm()),
            _with(lambda new, old, grad: new.norm() / old.norm()),
        ],
        "Positive and negative values cancel in a mean or a sum, so it isn't a size. What is?": [
            _with(lambda new, old, grad: (new - old).mean() / old.mean()),
            _with(lambda new, old, grad: ((new - old).mean() / old.mean()).abs()),
        ],
        "A mean of ratios is ruled by the few weights that happen to be near 0. Divide one size by the other, once per "
        "tensor.": [
            _with(lambda new, old, grad: ((new - old) / old).abs().mean()),
            _with(lambda new, old, grad: ((new - old) / old).norm()),
            _with(lambda new, old, grad: ((new - old) / old).mean()),
        ],
        "That's the absolute size of the change. A step of 0.01 is tiny for a weight of 3 and ruins one of 0.008.": [
            _with(lambda new, old, grad: (new - old).norm()),
            _with(lambda new, old, grad: (new - old).abs().mean()),
            _with(lambda new, old, grad: (new - old).abs().max()),
        ],
        "Your ratio is squared. Where is the root?": (
            _with(lambda new, old, grad: (new - old).square().sum() / old.square().sum())
        ),
        "You return the logarithm. Return the ratio itself; the figure takes the logarithm.": (
            _with(lambda new, old, grad: ((new - old).norm() / old.norm()).log10())
        ),
        "Your ratio is upside down.": _with(lambda new, old, grad: old.norm() / (new - old).norm()),
    },
    notes={
        "This measures sizes by mean absolute values or spreads instead of norms, which is as good: both are usual.": [
            _with(lambda new, old, grad: (new - old).abs().mean() / old.abs().mean()),
            _with(lambda new, old, grad: (new - old).std() / old.std()),
            _with(lambda new, old, grad: (new - old).std(correction=0) / old.std(correction=0)),
        ],
    },
    also_accepted=[
        _with(lambda new, old, grad: (old - new).norm() / old.norm()),
        _with(lambda new, old, grad: (new - old).square().mean().sqrt() / old.square().mean().sqrt()),
    ],
    tolerance=1e-5,
    hints=(
        "dict(network.named_parameters()) has the weights after the step, under the same names.",
        "The size of a tensor is its norm, the root of the sum of its squares: tensor.norm(). You need two of them per "
        "name.",
    ),
)
