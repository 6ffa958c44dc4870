"""Lab 01: one training step."""

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


def train_step(generator: nn.Module, optimizer: Optimizer, lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Take one training step on the MSE.

    Parameters
    ----------
    generator
        Network that maps LR to SR.
    optimizer
        Optimizer for the generator's parameters.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        Loss before the step, ``()``, without its graph. As a number it would have to be read from the GPU.
    """
    sr = generator(lr)
    loss = F.mse_loss(sr, hr)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _scene() -> tuple[Any, ...]:
    """Return a tiny generator, its optimizer and two batches, the same in every run."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=4))
    for seed, parameter in enumerate(generator.parameters()):
        parameter.data = sample(*parameter.shape, low=-1.5, high=2.0, seed=seed)
    batches = [(sample(2, 3, 3, 4, seed=seed), sample(2, 3, 12, 16, seed=seed + 1)) for seed in (2, 4)]
    return generator, SGD(generator.parameters(), lr=0.5), batches


def _observe(answer: Answer, steps: int, generator: Any, optimizer: Any, batches: Any) -> dict[str, Any]:
    seen: list[torch.Tensor] = []
    events: list[str] = []
    gradients: list[torch.Tensor] = []
    make_sr = generator.forward  # an answer may call it directly

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
    stopped, told = "", torch.zeros(())
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
        "a PyTorch error": stopped,
        "the generator's input": bool(seen) and torch.equal(seen[0], lr),
        "only the optimizer changes the weights": "step" in events or torch.equal(weights, before),
        "the order of operations": ", ".join(events[:7]) + (", and so on" if len(events) > 7 else ""),
        "the gradient at the optimizer's step": gradients[0] if gradients else torch.zeros(12),
        "the loss": told,
        "the weights": weights,
        "training mode": generator.training,
        "the loss stays a tensor": isinstance(told, torch.Tensor),
    }


def _step(
    order: str,
    loss: Callable[..., torch.Tensor] = F.mse_loss,
    see: Callable[..., torch.Tensor] = lambda generator, lr, hr: generator(lr),
    told: Callable[[torch.Tensor], Any] = torch.Tensor.detach,
) -> Answer:
    """Return a step with its parts in some order: f(orward and loss), z(ero_grad), b(ackward), s(tep)."""

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


def _by_hand(generator: Any, optimizer: Any, lr: Any, hr: Any) -> torch.Tensor:
    loss = F.mse_loss(generator(lr), hr)
    generator.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter -= 0.5 * parameter.grad
    return loss.detach()


def _own_optimizer(generator: Any, optimizer: Any, lr: Any, hr: Any) -> torch.Tensor:
    return train_step(generator, SGD(generator.parameters(), lr=0.5), lr, hr)


def _by_a_closure(generator: Any, optimizer: Any, lr: Any, hr: Any) -> torch.Tensor:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(generator(lr), hr)
        loss.backward()
        return loss

    return optimizer.step(closure).detach()


def _for_use(generator: Any, *others: Any) -> torch.Tensor:
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
        "In the second step, the gradient still contains the first step's: backward adds to .grad instead of replacing "
        "it. What sets it to zero?": _step("fbs"),
        "The gradient is gone when the optimizer takes its step: zero_grad is between backward and step. Where else "
        "could it be?": _step("fbzs"),
        "Your optimizer never takes its step, so the weights don't change.": [_step("fzb"), _step("fb")],
        "Your optimizer takes its step without a gradient: you never call backward on the loss, or SR was detached "
        "before.": [
            _step("fzs"),
            _step("fzbs", see=lambda generator, lr, hr: generator(lr).detach().requires_grad_()),
        ],
        "Your optimizer takes its step before you call backward, so it uses an old gradient or none.": [
            _step("fzsb"),
            _step("zfsb"),
            _step("fsbz"),
            _step("fsb"),
            _step("fszb"),
        ],
        "No graph leads from your loss back to the weights: you detached SR, computed it under no_grad, or didn't use "
        "the generator. The first two are right for evaluating a network, and wrong for training it.": [
            _step("fzbs", see=lambda generator, lr, hr: generator(lr).detach()),
            _step("fzbs", see=_without_graph),
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr.data, hr)),
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr).detach()),
        ],
        "item() turns the loss into a plain number, which has no backward. Call backward first, and return a detached "
        "loss.": _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr).item(), told=float),
        "You call backward twice, so the gradient is doubled.": [_step("fzbbs"), _step("zfbbs")],
        "Your optimizer takes its step twice. With the same gradient, that is twice the learning rate.": [
            _step("fzbss"),
            _step("zfbss"),
        ],
        "Pass `lr` to the generator, all of it and unchanged, and compare SR with `hr`, which has the same size.": [
            _step("fzbs", see=lambda generator, lr, hr: generator(hr)[..., : hr.shape[-2], : hr.shape[-1]]),
            _step("fzbs", see=lambda generator, lr, hr: generator(hr), loss=lambda sr, hr: (sr - hr).square().mean()),
            _step("fzbs", loss=lambda sr, hr: (sr - hr[..., ::4, ::4]).square().mean()),
        ],
        "You run the generator more than once. It's the expensive part of a step, and once is enough.": _step(
            "fzbs", see=lambda generator, lr, hr: (generator(lr), generator(lr))[1]
        ),
        "That is L1, the absolute error. Use the MSE.": _step("fzbs", loss=F.l1_loss),
        "You summed the squared errors. Take their mean, or the effective learning rate depends on the batch size.": (
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr, reduction="sum"))
        ),
        "The root of the MSE has its minimum at the same place, but a different gradient. Leave the root out.": (
            _step("fzbs", loss=lambda sr, hr: F.mse_loss(sr, hr).sqrt())
        ),
        "You clamp SR before you compare it, so where it is out of range, no gradient comes back to correct it. Clamp "
        "images to look at them, not to learn from them.": _step(
            "fzbs", see=lambda generator, lr, hr: generator(lr).clamp(0, 1)
        ),
        "You change the weights by hand, or with another optimizer. Use the one that you are given, `optimizer`.": [
            _by_hand,
            _own_optimizer,
        ],
        "Your loss has one value per pixel, but backward starts from one number. How do you get one number from "
        "many?": (_step("fzbs", loss=lambda sr, hr: (sr - hr).square())),
        "nn.MSELoss is a class, and its arguments are options. F.mse_loss is the function.": (
            _step("fzbs", loss=nn.MSELoss)
        ),
        "You leave the generator in eval mode, where batch norm and dropout don't act as in training.": _for_use,
        "The weights are correct, but you don't return the loss of this step.": [
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
        _step("fzbs", loss=lambda sr, hr: ((sr - hr) ** 2).mean()),
        lambda generator, *others: train_step(generator.train(), *others),
        _by_a_closure,
        _step("fzbs", see=lambda generator, lr, hr: generator.forward(lr)),
    ],
    notes={
        "You return a plain number, which the CPU has to read from the GPU: it waits for each step to end. "
        "loss.detach() is read only when somebody looks at it.": _step("fzbs", told=torch.Tensor.item),
    },
    fallback_messages={
        "a PyTorch error": "PyTorch stopped your step with: {given}.",
        "the generator's input": "Pass `lr` to the generator, unchanged.",
        "the order of operations": "You need one run of the generator, one backward and one step of the optimizer. "
        "Yours: {given}.",
        "the gradient at the optimizer's step": "When the optimizer takes its step, the gradient should be that of the "
        "MSE on this batch.",
        "the weights": "Everything is correct up to the step, but the weights come out different.",
        "training mode": "Leave the generator in training mode.",
    },
    hints=(
        "A step has five parts. Which of them needs what another one computes, or destroys it? More than one order is "
        "left, and each works.",
        "Five things happen in a step: you compute SR and the loss, clear the old gradients, run backward, and let the "
        "optimizer change the weights.",
        "In code: generator(lr), F.mse_loss, optimizer.zero_grad(), loss.backward() and optimizer.step(). Return "
        "loss.detach().",
    ),
)
