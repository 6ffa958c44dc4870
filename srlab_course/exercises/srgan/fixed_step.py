"""Lab 03: find the bug in a step whose D calls everything real."""

from collections.abc import Callable

import torch
import torch.nn as nn

from srlab_course.exercises.gan_observation import MESSAGES
from srlab_course.exercises.srgan.train_step import CASES, observe_steps
from srlab_course.feedback.exercise import Exercise


def fixed_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    d_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    g_loss: Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one step of D, then one of G, with D frozen in G's half; arguments and result are those of `train_step`."""
    sr = generator(lr)

    # D's half
    discriminator.requires_grad_(True)  # with the underscore: a module has no attribute requires_grad
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    loss_of_d.backward()
    d_optimizer.step()
    d_optimizer.zero_grad()

    # G's half, with D frozen
    discriminator.requires_grad_(False)
    loss_of_g = g_loss(sr, hr, discriminator)
    loss_of_g.backward()
    g_optimizer.step()
    g_optimizer.zero_grad()
    return loss_of_d.detach(), loss_of_g.detach()


EXERCISE = Exercise(
    fixed_step,
    level="medium",
    points=4,
    cases=CASES,
    observe=observe_steps,
    fallback_messages=MESSAGES,
    tolerance=1e-5,
    reveal=False,
)
