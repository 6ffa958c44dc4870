"""Lab 05: training a copy of a network on another kind of LR image."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

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
        network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Upsample(scale_factor=4), nn.Conv2d(3, 3, 1))
        for seed, parameter in enumerate(network.parameters()):
            parameter.data = sample(*parameter.shape, low=0.1, high=0.5, seed=seed)
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
        "a new batch in each step": len(drawn) in (iters, iters + 1),  # zip(batches, range(iters)) draws one more
        "the mode of the result": "training" if tuned.training else "eval",
        "the trained weights": _weights(tuned),
    }


def _fine_tune(
    copied: Callable[[nn.Module], nn.Module] = copy.deepcopy,
    mode: bool = True,
    after: bool = False,
    trained: str = "copy",
    zero: bool = True,
    step: bool = True,
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = lambda sr, hr: (sr - hr).square().mean(),
    fresh: bool = True,
    make: Any = torch.optim.Adam,
    again: bool = False,
    unfreeze: bool = True,
    steps: Callable[[int], int] = lambda iters: iters,
    faster: float = 1.0,
) -> Answer:
    """Return a fine-tuning with its parts right or wrong."""

    def answer(network: nn.Module, batches: Batches, iters: int, rate: float) -> nn.Module:
        tuned = copied(network).train(mode)
        if unfreeze:
            tuned.requires_grad_()
            if trained != "copy":
                network.requires_grad_()
        optimizer = make((tuned if trained == "copy" else network).parameters(), lr=faster * rate)
        batch = None
        for _ in range(steps(iters)):
            if fresh or batch is None:
                batch = next(batches)
            if again:
                optimizer = make(tuned.parameters(), lr=rate)
            loss = loss_of(tuned(batch[0]), batch[1])
            if zero:
                optimizer.zero_grad()
            loss.backward()
            if step:
                optimizer.step()
        return tuned.train(after)

    return answer


def _same(network: nn.Module) -> nn.Module:
    return network


EXERCISE = Exercise(
    fine_tune,
    level="medium",
    points=4,
    cases={
        "a network in eval mode": _scene(False, 4, 0.05),
        "a network without gradients": _scene(True, 3, 0.02),
    },
    observe=_observe,
    known_mistakes={
        "You trained the network itself. Then you have nothing left to compare with, and the rest of the lab scores a "
        "changed network. How do you copy a network with its weights?": [
            _fine_tune(copied=_same),
            _fine_tune(copied=_same, after=True),
            _fine_tune(copied=copy.copy),
        ],
        "The copy never changes. Does the optimizer take a step, and on whose parameters?": [
            _fine_tune(trained="network"),
            _fine_tune(step=False),
        ],
        "The copy of a network without gradients has none either, so backward fails. Switch them on for the copy.": (
            _fine_tune(unfreeze=False)
        ),
        "The network that you were given is in another mode than before, or its weights now have gradients. Call "
        "train() and requires_grad_() on the copy.": [
            _fine_tune(copied=lambda network: copy.deepcopy(network.requires_grad_())),
            _fine_tune(copied=lambda network: copy.deepcopy(network.train())),
        ],
        "You add each step's gradients to those of the steps before. When do you clear them?": _fine_tune(zero=False),
        "You train in eval mode, in which batch norm doesn't learn. The network came in eval mode: what does training "
        "need?": _fine_tune(mode=False),
        "The result is still in training mode, so batch norm and dropout would use each image's statistics. "
        "Which mode do you need at inference?": _fine_tune(after=True),
        "You train with L1. The network was trained on the squared error, and PSNR rewards that one.": _fine_tune(
            loss_of=lambda sr, hr: (sr - hr).abs().mean()
        ),
        "You sum the squared errors. Adam hides part of that, but not all. Take their mean.": _fine_tune(
            loss_of=lambda sr, hr: (sr - hr).square().sum()
        ),
        "You use one batch for all steps. Draw a new one in each step.": _fine_tune(fresh=False),
        "You build a new Adam in every step, so it forgets its running averages. Build it once, before the loop.": (
            _fine_tune(again=True)
        ),
        "You used another optimizer. Use Adam.": [_fine_tune(make=torch.optim.SGD), _fine_tune(make=torch.optim.AdamW)],
        "The number of steps is off by one.": [
            _fine_tune(steps=lambda iters: iters - 1),
            _fine_tune(steps=lambda iters: iters + 1),
        ],
        "The rate is not the one that you are given.": [_fine_tune(faster=0.1), _fine_tune(faster=10.0)],
    },
    also_accepted=[
        _fine_tune(),
        _fine_tune(loss_of=nn.functional.mse_loss),
    ],
    fallback_messages={"the trained weights": "Everything else is right, but the trained weights differ from ours."},
    tolerance=2e-4,
    reveal=False,
    hints=(
        "It is lab 01's training step in a loop, on a copy. What must be true of the copy before the first step, and "
        "what after the last?",
        "copy.deepcopy copies a network. Weights that were saved for inference can come without gradients: "
        "requires_grad_() switches them on.",
    ),
)
