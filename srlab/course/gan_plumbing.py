"""What labs 03 and 04 share around a GAN and no learner needs to read: patches, a start, other games, what is noted."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from srlab import losses
from srlab.course.lab import Lab
from srlab.data.sampler import PatchSampler
from srlab.errors import SrlabError
from srlab.training.gan import DLoss, GLoss, Look
from srlab.training.schedules import Schedule
from srlab.training.trainer import Losses, Trainer

NOTED = ("pixel", "content", "relative", "shift", "gan", "discriminator_rate", "noise", "noise_until")
NOTED += ("label_real", "label_flip", "g_every")
WEIGHTS = {"pixel": "pixel_weight", "content": "content_weight", "adversary": "adversarial_weight"}


def patches_of(lab: Lab, **looks: Any) -> PatchSampler:
    """Batches of patches as the lab's recipe wants them; each call begins with the same ones.

    Parameters
    ----------
    lab
        What `course.setup` gave.
    **looks
        How patches are turned, as for `srlab.PatchSampler`.
    """
    sizes = (lab.scale, lab.patch, lab.batch)
    return PatchSampler(lab.train_set, *sizes, lab.degradation, seed=lab.seed, device=lab.device, **looks)


def train_start(
    lab: Lab,
    name: str,
    generator: nn.Module,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    rate: float,
    schedule: Schedule,
    recipe: dict[str, Any] | None = None,
    **watched: Any,
) -> nn.Module:
    """Train a network to begin a game with, by lab 01's step, where none that is there fits.

    Parameters
    ----------
    lab
        What `course.setup` gave; its ``pretrain_iters`` are the steps.
    name
        Of the run.
    generator
        Fresh.
    loss
        ``loss(sr, hr)``, a mean over pixels.
    rate, schedule
        Learning rate of Adam, and how it changes.
    recipe
        What to note with the run, as for `srlab.Trainer`.
    **watched
        How it is validated, as for `srlab.Trainer.fit`.

    Returns
    -------
    torch.nn.Module
        The averaged network, in eval mode.
    """
    optimizer = torch.optim.Adam(generator.parameters(), rate, fused=True)
    trainer = Trainer(lab.name, name, **lab.hardware, seed=lab.seed, recipe=recipe)
    generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> Losses:
        value = loss(generator(lr), hr)
        optimizer.zero_grad()
        trainer.backward(value)
        optimizer.step()
        return {"loss": value}

    return trainer.fit(step, patches_of(lab), lab.pretrain_iters, schedule, **watched)


def weights_of(lab: Lab) -> dict[str, float]:
    """Weights of the three parts of G's loss by the recipe: ``"pixel"``, ``"content"`` and ``"adversary"``.

    Raises
    ------
    SrlabError
        All are 0.
    """
    weights = {part: lab.parameters[name] for part, name in WEIGHTS.items()}
    if not any(weights.values()):
        raise SrlabError("All three weights of G's loss are 0; set one of them above 0.")
    return weights


def noted(lab: Lab, weights: dict[str, float], **others: Any) -> dict[str, Any]:
    """What a run of a game depends on beside its networks and patches; it goes on only with the same.

    Parameters
    ----------
    lab
        What `course.setup` gave.
    weights
        Of G's three parts, as this run has them.
    **others
        More to note, or in place of the recipe's, such as ``gan="vanilla"``.
    """
    chosen = {key: lab.parameters[key] for key in NOTED if key in lab.parameters}
    return chosen | {WEIGHTS[part]: weight for part, weight in weights.items()} | others


def losses_of(
    lab: Lab, game: str, weights: dict[str, float], content: Callable[..., torch.Tensor]
) -> tuple[DLoss, GLoss]:
    """What D and G minimise by srlab's own losses, where a recipe wants others than the learner's, or fewer parts.

    Parameters
    ----------
    lab
        What `course.setup` gave.
    game
        One of `srlab.losses.KINDS`.
    weights
        Of G's three parts; one with the weight 0 is not computed.
    content
        ``content(sr, hr)``, the content loss.

    Returns
    -------
    tuple
        ``d_loss(real, fake)`` and ``g_loss(sr, hr, look)``, as `srlab.gan_step` takes them.
    """

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        labels: tuple[losses.Labels, losses.Labels] = (1.0, 0.0)
        if (lab.label_real, lab.label_flip) != labels:
            labels = losses.noisy_labels(real, lab.label_real, lab.label_flip)
        return losses.discriminator_loss(real, fake, game, labels)

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, look: Look) -> torch.Tensor:
        parts = []
        if weights["pixel"]:
            parts.append((weights["pixel"], losses.PIXEL_LOSSES[lab.pixel](sr, hr)))
        if weights["content"]:
            parts.append((weights["content"], content(sr, hr)))
        if weights["adversary"]:
            fake = look(sr)
            real = look(hr) if game.startswith("relativistic") else None
            parts.append((weights["adversary"], losses.generator_loss(fake, real=real, kind=game)))
        return losses.hybrid(*parts)

    return d_loss, g_loss
