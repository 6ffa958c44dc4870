"""Lab 01: one step of a training."""

import re
from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import SGD, Optimizer

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.networks import gradients_of


def train_step(generator: nn.Module, optimizer: Optimizer, lr: torch.Tensor, hr: torch.Tensor) -> float:
    """Make one training step on the squared error.

    Parameters
    ----------
    generator
        LR -> SR.
    optimizer
        Of the generator's parameters.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)`` in [0, 1].

    Returns
    -------
    float
        The loss before the step.
    """
    sr = generator(lr)
    loss = F.mse_loss(sr, hr)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _scene() -> tuple[Any, ...]:
    """A tiny generator, its optimizer and two batches, the same in every run."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=4))
    for seed, parameter in enumerate(generator.parameters()):
        parameter.data = sample(*parameter.shape, low=-1.5, high=2.0, seed=seed)
    batches = [(sample(2, 3, 3, 4, seed=seed), sample(2, 3, 12, 16, seed=seed + 1)) for seed in (2, 4)]
    return generator, SGD(generator.parameters(), lr=0.5), batches


def _observe(answer: Answer, steps: int, generator: Any, optimizer: Any, batches: Any) -> dict[str, Any]:
    seen: list[torch.Tensor] = []
    events: list[str] = []
    gradients: list[torch.Tensor] = []
    make_sr = generator.forward  # which an answer may call by itself

    def forward(lr: torch.Tensor) -> torch.Tensor:
        seen.append(lr)
        events.append("forward")
        sr = make_sr(lr)
        if sr.requires_grad:
            sr.register_hook(lambda _: events.append("backward"))
        return sr

    def step(*_: Any) -> None:
        events.append("step")
        gradients.append(gradients_of(generator))

    generator.forward = forward
    optimizer.register_step_post_hook(step)
    stopped, told = "", 0.0
    try:
        for lr, hr in batches[:steps]:
            for noted in (seen, events, gradients):
                noted.clear()
            before = nn.utils.parameters_to_vector(generator.parameters()).detach().clone()
            told = take(filled(answer(generator, optimizer, lr, hr)), 0.0)
    except (RuntimeError, AttributeError) as error:
        if isinstance(error, IncorrectAnswer) or not re.search(
            "does not require grad|a second time|'backward'", str(error)
        ):
            raise
        stopped = re.split(r"[.:\n] | \(", str(error))[0]
    weights = nn.utils.parameters_to_vector(generator.parameters())
    return {
        "an error of torch": stopped,
        "what the generator is given": bool(seen) and torch.equal(seen[0], lr),
        "no weights move without the optimizer": "step" in events or torch.equal(weights, before),
        "the order": ", ".join(events[:7]) + (", and so on" if len(events) > 7 else ""),
        "the gradient when the optimizer makes its step": gradients[0] if gradients else torch.zeros(12),
        "the loss": told,
        "the weights": weights,
        "the mode": generator.training,
    }


def _step(
    order: str,
    loss: Callable[..., torch.Tensor] = F.mse_loss,
    see: Callable[..., torch.Tensor] = lambda generator, lr, hr: generator(lr),
    told: Callable[[torch.Tensor], Any] = torch.Tensor.item,
) -> Answer:
    """A step with its parts in some order: f(orward and loss), z(ero_grad), b(ackward), s(tep)."""

    def step(generator: Any, optimizer: Any, lr: Any, hr: Any) -> Any:
        for part in order:
            if part == "f":
                error = loss(see(generator, lr, hr), hr)
            elif part == "z":
                optimizer.zero_grad()
            elif part == "b":
                error.backward(retain_graph=order.count("b") > 1)
            elif part == "s":
                optimizer.step()
        return told(error)

    return step


def _by_hand(generator: Any, optimizer: Any, lr: Any, hr: Any) -> float:
    loss = F.mse_loss(generator(lr), hr)
    generator.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter -= 0.5 * parameter.grad
    return loss.item()


def _own_optimizer(generator: Any, optimizer: Any, lr: Any, hr: Any) -> float:
    return train_step(generator, SGD(generator.parameters(), lr=0.5), lr, hr)


def _by_a_closure(generator: Any, optimizer: Any, lr: Any, hr: Any) -> float:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(generator(lr), hr)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


def _for_use(generator: Any, *others: Any) -> float:
    return train_step(generator.eval(), *others)


def _without_graph(generator: Any, lr: Any, hr: Any) -> torch.Tensor:
    with torch.no_grad():
        return generator(lr)


EXERCISE = Exercise(
    train_step,
    level="medium",
    points=5,
    cases={
        "one step": lambda: (1, *_scene()),
        "a second step, with another batch": lambda: (2, *_scene()),
    },
    observe=_observe,
    known_mistakes={
        "In the second step the gradient still has that of the first in it: backward adds to .grad and does not "
        "replace it. What sets it to zero?": _step("fbs"),
        "Nothing is left of the gradient when the optimizer makes its step: zero_grad stands between backward and "
        "step. Where else may it stand?": _step("fbzs"),
        "The optimizer never makes its step, so the weights stay as they are.": [_step("fzb"), _step("fb")],
        "The optimizer makes its step, but without a gradient: the loss never goes backward.": _step("fzs"),
        "The optimizer makes its step before the loss has gone backward, so it takes an old gradient or none.": [
            _step("fzsb"),
            _step("zfsb"),
            _step("fsbz"),
            _step("fsb"),
            _step("fszb"),
        ],
        "The loss has no graph that leads back to the weights: SR was detached, made under no_grad, or not made by the "
        "generator at all. The first two are right for judging a network and wrong for training one.": [
            _step("fzbs", see=lambda generator, lr, hr: generator(lr).detach()),
            _step("fzbs", see=_without_graph),
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr.data, hr)),
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr).detach()),
        ],
        "item() makes a plain number of the loss, and a number can't go backward. Call backward first, and item for "
        "what you return.": _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr).item(), told=float),
        "The loss goes backward twice, so its gradient is doubled.": [_step("fzbbs"), _step("zfbbs")],
        "The optimizer makes its step twice. With the same gradient that is twice the rate.": [
            _step("fzbss"),
            _step("zfbss"),
        ],
        "What goes into the generator is `lr`, all of it and as it is, and SR is compared with `hr`, which has its "
        "size.": [
            _step("fzbs", see=lambda generator, lr, hr: generator(hr)[..., : hr.shape[-2], : hr.shape[-1]]),
            _step("fzbs", see=lambda generator, lr, hr: generator(hr), loss=lambda sr, hr: (sr - hr).square().mean()),
            _step("fzbs", loss=lambda sr, hr: (sr - hr[..., ::4, ::4]).square().mean()),
        ],
        "The generator ran more than once. It's the expensive part of a step, and once is enough.": _step(
            "fzbs", see=lambda generator, lr, hr: (generator(lr), generator(lr))[1]
        ),
        "That is the absolute error. The squared error is asked for.": _step("fzbs", loss=F.l1_loss),
        "That is the sum of all squared errors. Take their mean, or the rate would depend on the size of the batch.": (
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr, reduction="sum"))
        ),
        "The root of the mean squared error has its lowest point at the same place, but another gradient. No root.": (
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr).sqrt())
        ),
        "SR is clamped before it's compared, so wherever it is out of range no gradient comes back to move it in "
        "again. Clamp pictures to look at them, and not to learn from them.": _step(
            "fzbs", see=lambda generator, lr, hr: generator(lr).clamp(0, 1)
        ),
        "The weights are changed by hand, or by another optimizer. The one that's given, `optimizer`, should do it.": [
            _by_hand,
            _own_optimizer,
        ],
        "The loss has one value for each pixel, but backward starts from one number. What makes one of many?": (
            _step("fzbs", loss=lambda sr, hr: (sr - hr).square())
        ),
        "nn.MSELoss is a class, and what it's made with are options. F.mse_loss is the function.": (
            _step("fzbs", loss=nn.MSELoss)
        ),
        "The generator is left in eval mode, in which batch norm and dropout don't train.": _for_use,
        "The weights are right, but what comes back is not the loss of this step.": [
            lambda *scene: train_step(*scene) * 2,
            lambda generator, optimizer, lr, hr: (
                train_step(generator, optimizer, lr, hr),
                F.mse_loss(generator[1](generator[0].forward(lr)), hr).item(),
            )[1],
        ],
    },
    also_accepted=[
        _step("zfbs"),
        _step("fbsz"),
        _step("fzbs", told=lambda loss: loss),
        _step("fzbs", told=torch.Tensor.detach),
        _step("fzbs", loss=lambda sr, hr: ((sr - hr) ** 2).mean()),
        lambda generator, *others: train_step(generator.train(), *others),
        _by_a_closure,
        _step("fzbs", see=lambda generator, lr, hr: generator.forward(lr)),
    ],
    fallback_messages={
        "an error of torch": "PyTorch stopped your step with: {given}.",
        "what the generator is given": "The generator should be given `lr` as it is.",
        "the order": "One run of the generator, one backward and one step of the optimizer are wanted. Yours: {given}.",
        "the gradient when the optimizer makes its step": "When the optimizer makes its step, the gradient should be "
        "that of the mean squared error on this batch.",
        "the weights": "Up to the step all is right, but the weights come out differently.",
        "the mode": "The generator should be left in training mode.",
    },
    hints=(
        "Which of the five needs what another one makes, or spoils it? More than one order is left, and each works.",
        "Five things happen in a step: SR is made, the loss is computed, old gradients go, the loss goes backward, "
        "the optimizer moves the weights.",
        "In code these are generator(lr), F.mse_loss, optimizer.zero_grad(), loss.backward() and optimizer.step(). "
        "Return loss.item().",
    ),
)
