"""Lab 01: one training step."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import SGD, Optimizer

from srlab_course.exercises.networks import gradients_of, watch
from srlab_course.feedback.exercise import Answer, Exercise, filled, sample
from srlab_course.feedback.value_comparison import take


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

    def note(_: nn.Module, lr: torch.Tensor, sr: torch.Tensor) -> None:
        seen.append(lr)
        events.append("forward")
        if sr.requires_grad:
            sr.register_hook(lambda _: events.append("backward"))

    def step(*_: Any) -> None:
        events.append("step")
        gradients.append(gradients_of(generator))

    watch(generator, note)
    optimizer.register_step_post_hook(step)
    for lr, hr in batches[:steps]:
        for noted in (seen, events, gradients):
            noted.clear()
        before = nn.utils.parameters_to_vector(generator.parameters()).detach().clone()
        told = take(filled(answer(generator, optimizer, lr, hr)), 0.0)
    weights = nn.utils.parameters_to_vector(generator.parameters())
    return {
        "the generator's input": bool(seen) and torch.equal(seen[0], lr),
        "only the optimizer changes the weights": "step" in events or torch.equal(weights, before),
        "the order of operations": ", ".join(events[:7]) + (", and so on" if len(events) > 7 else ""),
        "the gradient at the optimizer's step": gradients[0] if gradients else torch.zeros(12),
        "the loss": told,
        "the weights": weights,
        "training mode": generator.training,
        "the loss stays a tensor": isinstance(told, torch.Tensor),
    }


EXERCISE = Exercise(
    train_step,
    level="medium",
    points=5,
    cases={
        "one step": lambda: (1, *_scene()),
        "a second step, with another batch": lambda: (2, *_scene()),
    },
    observe=_observe,
)
