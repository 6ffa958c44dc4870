"""The extra on your own camera: training a copy of a network on another kind of LR image."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


def fine_tune(network: nn.Module, batches: Batches, iters: int, rate: float) -> nn.Module:
    """Train a copy of a network with Adam on the MSE, and leave the network as it was.

    Parameters
    ----------
    network
        Trained generator in eval mode.
    batches
        Endless iterator; ``next(batches)`` returns a new ``(lr, hr)`` each time.
    iters
        Number of steps.
    rate
        Learning rate of Adam.

    Returns
    -------
    nn.Module
        The trained copy, in eval mode.
    """
    tuned = copy.deepcopy(network).train().requires_grad_()
    optimizer = torch.optim.Adam(tuned.parameters(), lr=rate)
    for _ in range(iters):
        lr, hr = next(batches)
        loss = (tuned(lr) - hr).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return tuned.eval()


def _scene(frozen: bool, iters: int, rate: float) -> Callable[[], tuple[Any, ...]]:
    """Return a tiny trained network with batch norm in eval mode, a number of steps and a rate."""

    def make() -> tuple[Any, ...]:
        # Without a bias before batch norm: its gradient is rounding, which Adam makes as large as any other.
        first, last = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1)
        network = nn.Sequential(first, nn.BatchNorm2d(3), nn.Upsample(scale_factor=4), last)
        for seed, parameter in enumerate(network.parameters()):
            parameter.data = sample(*parameter.shape, low=0.1, high=0.5, seed=seed)
        last.weight.data *= 1e-6  # for gradients near Adam's epsilon, or it would hide a factor in the loss
        return network.eval().requires_grad_(not frozen), iters, rate

    return make


def _weights(network: nn.Module) -> list[torch.Tensor]:
    return [value.detach().float().clone() for value in network.state_dict().values()]


def _observe(answer: Answer, network: nn.Module, iters: int, rate: float) -> dict[str, Any]:
    drawn = []

    def endless() -> Batches:
        while len(drawn) <= 3 * iters + 3:
            number = len(drawn)
            drawn.append(number)
            yield sample(2, 3, 4, 5, seed=10 + number), sample(2, 3, 16, 20, low=0.2, high=0.9, seed=50 + number)
        raise IncorrectAnswer("The batches never end, so a loop over all of them doesn't either. Count the steps.")

    before, learns = _weights(network), [parameter.requires_grad for parameter in network.parameters()]
    tuned = filled(answer(network, endless(), iters, rate))
    if not isinstance(tuned, nn.Module):
        raise IncorrectAnswer(f"Return the trained copy, a network. The result is of type {type(tuned).__name__}.")
    unchanged = all(map(torch.equal, before, _weights(network)))
    as_before = not network.training and learns == [parameter.requires_grad for parameter in network.parameters()]
    return {
        "the network that you were given is unchanged": unchanged,
        "the result is another network": tuned is not network,
        "the network has its mode and its gradients": tuned is network or as_before,
        "the number of batches": len(drawn) - (len(drawn) == iters + 1),  # zip(batches, range(iters)) draws one more
        "the mode of the result": "training" if tuned.training else "eval",
        "the trained weights": _weights(tuned),
    }


EXERCISE = Exercise(
    fine_tune,
    level="medium",
    points=4,
    cases={
        "a network in eval mode": _scene(False, 4, 0.05),
        "a network without gradients": _scene(True, 3, 0.02),
    },
    observe=_observe,
    tolerance=2e-4,
    reveal=False,
)
