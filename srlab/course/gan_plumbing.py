"""Code of labs 02 to 04 that students can skip: patches, pretraining, other losses, recorded settings."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from srlab import losses
from srlab.course import student_code
from srlab.course.lab import Lab
from srlab.data.sampler import PatchSampler
from srlab.devices import from_torchrun
from srlab.errors import SrlabError
from srlab.models import build_discriminator
from srlab.models.discriminators import Noise, noisy
from srlab.training.gan import DLoss, GLoss, Look, gan_step
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
            real = look(hr) if game in losses.RELATIVISTIC else None
            parts.append((weights["adversary"], losses.generator_loss(fake, real=real, kind=game)))
        return losses.hybrid(*parts)

    return d_loss, g_loss


def fading_noise(lab: Lab, trainer: Trainer) -> Noise:
    """Return the instance noise of this step, which falls to 0 during the run or its share ``instance_noise_until``."""
    until = lab.parameters.get("instance_noise_until", 1.0)
    if not lab.instance_noise or not until:
        return 0.0
    return lab.instance_noise * (1 - trainer.progress / until).clamp(min=0)


# --- Lab 03: the student's own code trains the default recipe, and srlab's the others. ------------------------


class WithNoise(nn.Module):
    """A discriminator whose images get Gaussian noise with the standard deviation ``noise`` (Sønderby et al. 2017)."""

    def __init__(self, discriminator: nn.Module, noise: Noise = 0.0) -> None:
        super().__init__()
        self.discriminator, self.noise = discriminator, noise

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the discriminator's logits for the noisy image."""
        return self.discriminator(noisy(image.contiguous(), self.noise))  # contiguous is much faster on a CPU


# What the lab's own training cell has: with other settings, `train_other` trains.
_IN_THE_LAB = {"gan": "vanilla", "discriminator": "patch", "pixel": "l1", "label_real": 1.0, "label_flip": 0.0}
_IN_THE_LAB |= {"g_every": 1, "augment": "all", "rotate": 0.0, "black_corners": False}


def is_trained_in_the_lab(lab: Lab) -> bool:
    """Return whether the training cell of lab 03, with the student's code, can train the lab's recipe."""
    if lab.precision == "fp16" or (from_torchrun("WORLD_SIZE") or 1) > 1:  # these need the trainer's own backward
        return False
    return all(lab.parameters[name] == value for name, value in _IN_THE_LAB.items())


def code_of(lab: Lab, *answers: Any) -> str:
    """Return whose code trains: "srlab", "reference", or a short hash of the student's answers among these."""
    return student_code.hash_of(*answers) if is_trained_in_the_lab(lab) else "srlab"


def make_trainer(
    lab: Lab, name: str, weights: dict[str, float], d_rate: float, origin: str, code: str = "srlab"
) -> Trainer:
    """Return the trainer of a GAN run of lab 03, which records what the run depends on, such as whose code trains."""
    recipe = noted(lab, weights, subject=lab.subject, start=origin, discriminator_rate=d_rate, code=code)
    return Trainer(lab.name, name, **lab.trainer_kwargs, ema=lab.ema, ema_warmup=3, seed=lab.seed, recipe=recipe)


def train_other(
    lab: Lab,
    start: nn.Module,
    origin: str,
    features: nn.Module,
    content: Callable[..., torch.Tensor],
    schedule: Callable[[int], Schedule],
    validate: Callable[[nn.Module], dict[str, float]],
    min_psnr: float,
    name: str,
    iters: int,
    weights: dict[str, float] | None = None,
    d_rate: float | None = None,
    monitor: Callable[[Trainer], None] | None = None,
    every: int = 0,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a recipe of lab 03 with `srlab.gan_step`; the last six arguments are those of the lab's ``train``.

    Return the averaged generator and the log.
    """
    weights, d_rate = weights or weights_of(lab), d_rate or lab.discriminator_rate
    torch.manual_seed(lab.seed)
    generator = copy.deepcopy(start).train().requires_grad_(True)
    discriminator = build_discriminator(lab.discriminator, lab.patch)
    adam = {"betas": (lab.beta1, 0.99), "fused": True}
    trainer = make_trainer(lab, name, weights, d_rate, origin)
    trainer.prepare(
        generator=generator,
        discriminator=discriminator,
        g_optimizer=torch.optim.Adam(generator.parameters(), lab.learning_rate, **adam),
        d_optimizer=torch.optim.Adam(discriminator.parameters(), d_rate, **adam),
        features=features,
    )
    d_loss, g_loss = losses_of(lab, lab.gan, weights, content)
    relativistic = lab.gan in losses.RELATIVISTIC

    def step(lr: torch.Tensor, hr: torch.Tensor) -> Losses:
        noise = fading_noise(lab, trainer)
        g_turn = trainer.turn == lab.g_every - 1
        return gan_step(trainer, lr, hr, d_loss, g_loss, noise, relativistic, g_turn)

    watched: dict[str, Any] = {"validate": validate if every else None, "validate_every": every or iters}
    watched["turns"] = lab.g_every
    looks = {"augment": lab.augment, "rotate": lab.rotate, "black_corners": lab.black_corners}
    fitted = trainer.fit(
        step, patches_of(lab, **looks), iters, schedule(iters), monitor=monitor, min_psnr=min_psnr, **watched
    )
    return fitted, trainer.history
