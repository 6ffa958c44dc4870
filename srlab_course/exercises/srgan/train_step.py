"""Lab 03: one step of D and one of G."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import losses
from srlab_course.exercises.gan_observation import CAUSES, MESSAGES, gan_scene, observe
from srlab_course.feedback.exercise import Answer, Exercise


def train_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    lr: torch.Tensor,
    hr: torch.Tensor,
    d_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    g_loss: Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one step of D, then one of G (Goodfellow et al. 2014, algorithm 1).

    Parameters
    ----------
    generator, discriminator
        Networks that map LR to SR, and an image to logits.
    g_optimizer, d_optimizer
        Optimizers for the two networks' parameters.
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)`` in [0, 1].
    d_loss
        ``d_loss(real, fake)``, the loss of D from its logits for HR and for SR.
    g_loss
        ``g_loss(sr, hr, discriminator)``, the whole loss of G.

    Returns
    -------
    tuple of torch.Tensor
        Loss of D and loss of G, both ``()``.
    """
    sr = generator(lr)
    loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))
    d_optimizer.zero_grad()
    loss_of_d.backward()
    d_optimizer.step()

    loss_of_g = g_loss(sr, hr, discriminator)  # runs the updated D, and through it the gradient reaches G
    g_optimizer.zero_grad()
    loss_of_g.backward()
    g_optimizer.step()
    return loss_of_d.detach(), loss_of_g.detach()


# --- Scenes: the losses differ from those of the lab, so that an answer has to use the ones it gets. -------------


def d_loss_of_scene(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Return the loss of exercise 1 with a weight."""
    return 1.5 * losses.discriminator_loss(real, fake)


def adversary_of_scene(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
    """Return the adversarial loss of G with a weight."""
    return 0.7 * F.softplus(-discriminator(sr)).mean()


def whole_loss_of_scene(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
    """Return a pixel loss plus the adversarial loss, as on photos."""
    return 0.3 * F.l1_loss(sr, hr) + adversary_of_scene(sr, hr, discriminator)


CASES = {
    "one run of G, one step of D, then one step of G with the updated D": lambda: (
        1,
        *gan_scene(),
        d_loss_of_scene,
        adversary_of_scene,
    ),
    "a second step with nothing left over from the first, and a G whose loss has pixels, too": lambda: (
        2,
        *gan_scene(),
        d_loss_of_scene,
        whole_loss_of_scene,
    ),
}


def observe_steps(answer: Answer, steps: int, *scene: Any) -> dict[str, Any]:
    """Run an answer for some steps, and record the last one: only causes if PyTorch stopped it."""
    found = [observe(answer, *scene) for _ in range(steps)][-1]
    return {name: found[name] for name in CAUSES} if found["a PyTorch error"] else found


EXERCISE = Exercise(
    train_step,
    level="hard",
    points=5,
    cases=CASES,
    observe=observe_steps,
    fallback_messages=MESSAGES,
    tolerance=1e-5,
    reveal=False,
)
