"""Code shared by labs 03 and 04 that students can skip: patches, pretraining, other losses, recorded settings."""

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

NOTED = (
    "pixel",
    "content",
    "relative",
    "max_shift",
    "gan",
    "discriminator_rate",
    "instance_noise",
    "instance_noise_until",
)
NOTED += ("label_real", "label_flip", "g_every")
WEIGHTS = {"pixel": "pixel_weight", "content": "content_weight", "adversary": "adversarial_weight"}


def patches_of(lab: Lab, **looks: Any) -> PatchSampler:
    """Return the sampler that the lab's recipe specifies; each call starts with the same patches.

    ``looks`` are augmentation arguments of `srlab.PatchSampler`.
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
    """Pretrain a generator with lab 01's training step, and return the averaged network in eval mode.

    It trains for ``lab.pretrain_iters`` steps with ``loss(sr, hr)``, a mean over pixels. `rate` is Adam's learning
    rate, `recipe` is recorded with the run, and ``watched`` are validation arguments of `srlab.Trainer.fit`.
    """
    optimizer = torch.optim.Adam(generator.parameters(), rate, fused=True)
    trainer = Trainer(lab.name, name, **lab.trainer_kwargs, seed=lab.seed, recipe=recipe)
    generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> Losses:
        value = loss(generator(lr), hr)
        optimizer.zero_grad()
        trainer.backward(value)
        optimizer.step()
        return {"loss": value}

    return trainer.fit(step, patches_of(lab), lab.pretrain_iters, schedule, **watched)


def weights_of(lab: Lab) -> dict[str, float]:
    """Return the weights of G's loss from the recipe: ``"pixel"``, ``"content"`` and ``"adversary"``, not all 0."""
    weights = {part: lab.parameters[name] for part, name in WEIGHTS.items()}
    if not any(weights.values()):
        raise SrlabError("All three weights of G's loss are 0. Set one of them above 0.")
    return weights


def noted(lab: Lab, weights: dict[str, float], **others: Any) -> dict[str, Any]:
    """Return settings to record with a GAN run, besides networks and patches; it only resumes with the same ones.

    `weights` are the weights of G's three losses in this run. ``others`` are added to the settings or replace them,
    such as ``gan="vanilla"``.
    """
    chosen = {key: lab.parameters[key] for key in NOTED if key in lab.parameters}
    return chosen | {WEIGHTS[part]: weight for part, weight in weights.items()} | others


def losses_of(
    lab: Lab, game: str, weights: dict[str, float], content: Callable[..., torch.Tensor]
) -> tuple[DLoss, GLoss]:
    """Return ``d_loss(real, fake)`` and ``g_loss(sr, hr, look)`` for `srlab.gan_step`, built from srlab's losses.

    For recipes whose adversarial loss differs from the student's, or with fewer parts. `game` is one of
    `srlab.losses.KINDS`, `content` is the content loss ``content(sr, hr)``, and a part with weight 0 is not computed.
    """

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        labels: tuple[losses.Labels, losses.Labels] = (1.0, 0.0)
        if (lab.label_real, lab.label_flip) != labels:
            labels = losses.smooth_labels(real, lab.label_real, lab.label_flip)
        return losses.discriminator_loss(real, fake, game, labels)

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, look: Look) -> torch.Tensor:
        parts = []
        if weights["pixel"]:
            parts.append((weights["pixel"], losses.PIXEL_LOSSES[lab.pixel](sr, hr)))
        if weights["content"]:
            parts.append((weights["content"], content(sr, hr)))
        if weights["adversary"]:
            fake = look(sr)
            real = look(hr) if game in ("rgan", "ragan") else None
            parts.append((weights["adversary"], losses.generator_loss(fake, real=real, kind=game)))
        return losses.hybrid(*parts)

    return d_loss, g_loss
