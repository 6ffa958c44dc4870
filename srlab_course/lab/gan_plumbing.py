"""Code of labs 02 to 04 that students can skip: patches, pretraining, and the training that all GANs share."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from srlab import losses
from srlab.data.sampler import PatchSampler
from srlab.devices import from_torchrun
from srlab.errors import SrlabError
from srlab.models import build_discriminator
from srlab.models.discriminators import Noise, WithNoise
from srlab.training.gan import DLoss, GLoss, chances, gan_step
from srlab.training.recording import Step
from srlab.training.schedules import Schedule
from srlab.training.trainer import Losses, Trainer
from srlab_course.lab.earlier import whose_code
from srlab_course.lab.lab import Lab

# Settings that are recorded with a run, if the lab has them.
NOTED = ("pixel", "content", "relative", "max_shift", "gan", "discriminator_rate")
NOTED += ("instance_noise", "instance_noise_until", "label_real", "label_flip", "g_every")
WEIGHTS = {"pixel": "pixel_weight", "content": "content_weight", "adversary": "adversarial_weight"}


def patches_of(lab: Lab) -> PatchSampler:
    """Return the sampler that the lab's recipe specifies; each call starts with the same patches."""
    sizes, augment = (lab.scale, lab.patch, lab.batch), lab.parameters.get("augment", "all")
    return PatchSampler(lab.train_set, *sizes, lab.degradation, augment, lab.seed, lab.device)


def train_start(
    lab: Lab,
    name: str,
    generator: nn.Module,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    rate: float,
    schedule: Schedule,
    settings: dict[str, Any] | None = None,
    **validation: Any,
) -> nn.Module:
    """Pretrain a generator with lab 01's training step, and return the averaged network in eval mode.

    It trains for ``lab.pretrain_iters`` steps with ``loss(sr, hr)``, a mean over pixels. `rate` is Adam's learning
    rate, `settings` are recorded with the run, and ``validation`` are arguments of `srlab.Trainer.fit`.
    """
    optimizer = torch.optim.Adam(generator.parameters(), rate, fused=True)
    trainer = Trainer(lab.name, name, **lab.trainer_kwargs, seed=lab.seed, settings=settings)
    generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> Losses:
        value = loss(generator(lr), hr)
        optimizer.zero_grad()
        trainer.backward(value)
        optimizer.step()
        return {"loss": value}

    return trainer.fit(step, patches_of(lab), lab.pretrain_iters, schedule, **validation)


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


class Game(NamedTuple):
    """One GAN: its discriminator, its losses, and the step that trains it.

    Attributes
    ----------
    build_discriminator
        Returns a new discriminator.
    d_loss, g_loss
        See `srlab.gan_step`.
    relativistic
        Whether D compares HR with SR. This changes only what is logged as D's output.
    train_step
        A student's step, which returns both losses; None for `srlab.gan_step`.
    """

    build_discriminator: Callable[[], nn.Module]
    d_loss: DLoss
    g_loss: GLoss
    relativistic: bool = False
    train_step: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None


def game_of(lab: Lab, kind: str, weights: dict[str, float], content: Callable[..., torch.Tensor]) -> Game:
    """Return the GAN that the lab's recipe specifies, built from srlab's discriminators and losses.

    `kind` is a key of `srlab.losses.ADVERSARIAL`, `content` is the content loss ``content(sr, hr)``, and a part with
    weight 0 is not computed.
    """
    relativistic = losses.ADVERSARIAL[kind].relativistic

    def build() -> nn.Module:
        return build_discriminator(lab.discriminator, lab.patch, lab.parameters.get("d_features", 0))

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        labels: tuple[losses.Labels, losses.Labels] = (1.0, 0.0)
        if (lab.label_real, lab.label_flip) != labels:
            labels = losses.smooth_labels(real, lab.label_real, lab.label_flip)
        return losses.discriminator_loss(real, fake, kind, labels)

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
        parts = []
        if weights["pixel"]:
            parts.append((weights["pixel"], losses.PIXEL_LOSSES[lab.pixel](sr, hr)))
        if weights["content"]:
            parts.append((weights["content"], content(sr, hr)))
        if weights["adversary"]:
            fake = discriminator(sr)
            real = discriminator(hr) if relativistic else fake  # the other losses do not read it
            parts.append((weights["adversary"], losses.generator_loss(real, fake, kind)))
        return losses.hybrid(*parts)

    return Game(build, d_loss, g_loss, relativistic)


def fading_noise(lab: Lab, trainer: Trainer) -> Noise:
    """Return the instance noise of this step, which falls to 0 during the run or its share ``instance_noise_until``."""
    until = lab.parameters.get("instance_noise_until", 1.0)
    if not lab.instance_noise or not until:
        return 0.0
    return lab.instance_noise * (1 - trainer.progress / until).clamp(min=0)


def step_of(lab: Lab, game: Game, weights: dict[str, float], trainer: Trainer) -> Step:
    """Return the training step of a GAN whose networks and optimizers the trainer has prepared.

    Instance noise fades, and both losses and D's outputs are logged. With `Lab.g_every` above 1, G learns only in every
    second or third step, which the trainer has as its `turns`, unless it doesn't learn from D at all.
    """
    generator, g_optimizer = trainer.prepared["generator"], trainer.prepared["g_optimizer"]
    discriminator, d_optimizer = WithNoise(trainer.prepared["discriminator"]), trainer.prepared["d_optimizer"]
    players = generator, discriminator, g_optimizer, d_optimizer

    def step(lr: torch.Tensor, hr: torch.Tensor) -> Losses:
        discriminator.noise, outputs = fading_noise(lab, trainer), {}

        def observed_d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            outputs.update(chances(real, fake, game.relativistic))
            return game.d_loss(real, fake)

        if game.train_step is None:
            g_turn = trainer.turn == trainer.turns - 1 or not weights["adversary"]
            found = gan_step(*players, lr, hr, observed_d_loss, game.g_loss, trainer.update, g_turn)
        else:
            both = game.train_step(*players, lr, hr, observed_d_loss, game.g_loss)
            found = dict(zip(("d_loss", "g_loss"), both, strict=True))
        return outputs | found

    return step


@dataclass(frozen=True)
class GanPlan:
    """What all GANs of a lab have in common: where they begin, what they train on, and how they are validated.

    Attributes
    ----------
    start, origin
        Pretrained generator, of which each run trains a copy, and its name; "" for a fresh one.
    features
        Network of the content loss, for the manifest.
    schedule
        Learning-rate schedule for a number of steps.
    validate, min_psnr
        See `srlab.Trainer.fit`.
    settings
        Settings to record with each run, besides those of `noted`.
    patches
        Returns the training patches of the lab.
    """

    lab: Lab
    start: nn.Module
    origin: str
    features: nn.Module
    schedule: Callable[[int], Schedule]
    validate: Callable[[nn.Module], dict[str, float]]
    min_psnr: float
    settings: dict[str, Any]
    patches: Callable[[Lab], PatchSampler] = patches_of

    def train(
        self,
        name: str,
        iters: int,
        game: Game,
        weights: dict[str, float],
        d_rate: float | None = None,
        monitor: Callable[[Trainer], None] | None = None,
        every: int = 0,
        **more: Any,
    ) -> tuple[nn.Module, list[dict[str, float]]]:
        """Train a copy of the start against a new discriminator; return the averaged generator and the log.

        `weights` are the weights of G's three losses, `d_rate` is D's learning rate (default: the recipe's), and
        `every` is the number of steps between validations; 0 for none. ``more`` are settings to record, too.
        """
        trainer = self.make_trainer(name, weights, d_rate, **more)
        generator = copy.deepcopy(self.start).train().requires_grad_(True)
        discriminator = game.build_discriminator()
        d_rate = trainer.settings["discriminator_rate"]
        adam = {"betas": self.lab.betas, "fused": True}
        trainer.prepare(
            generator=generator,
            discriminator=discriminator,
            g_optimizer=torch.optim.Adam(generator.parameters(), self.lab.learning_rate, **adam),
            d_optimizer=torch.optim.Adam(discriminator.parameters(), d_rate, **adam),
            features=self.features,
        )
        step = step_of(self.lab, game, weights, trainer)
        averaged = trainer.fit(step, self.patches(self.lab), iters, **self.options(iters, monitor, every))
        return averaged, trainer.history

    def make_trainer(self, name: str, weights: dict[str, float], d_rate: float | None = None, **more: Any) -> Trainer:
        """Return the trainer of a run, and seed PyTorch for the initial weights of D; see `train` for the arguments."""
        lab, d_rate = self.lab, self.lab.discriminator_rate if d_rate is None else d_rate
        torch.manual_seed(lab.seed)
        settings = noted(lab, weights, discriminator_rate=d_rate, start=self.origin, **self.settings, **more)
        averaging = {"ema": lab.ema, "ema_warmup": 3 if self.origin else 10}
        how = lab.trainer_kwargs | {"seed": lab.seed, "settings": settings, "turns": lab.g_every}
        return Trainer(lab.name, name, **how, **averaging)

    def options(self, iters: int, monitor: Callable[[Trainer], None] | None = None, every: int = 0) -> dict[str, Any]:
        """Return the schedule and the validation of a run, as arguments of `srlab.Trainer.fit`."""
        return {
            "schedule": self.schedule(iters),
            "validate": self.validate if every else None,
            "validate_every": every or iters,
            "monitor": monitor,
            "min_psnr": self.min_psnr,
        }


# --- Labs 03 and 04: the student's code trains the default recipe, and srlab's the others. --------------------

# What the student's discriminator and step of lab 03 can train, and the losses of each lab.
_IN_THE_LAB = {"discriminator": "patch", "d_features": 0, "label_real": 1.0, "label_flip": 0.0, "g_every": 1}
_LOSSES = {"03_srgan": {"gan": "vanilla", "pixel": "l1"}, "04_esrgan": {"gan": "ragan"}}


def is_trained_in_the_lab(lab: Lab) -> bool:
    """Return whether the student's discriminator and training step of lab 03 can train the recipe of lab 03 or 04."""
    if lab.precision == "fp16" or (from_torchrun("WORLD_SIZE") or 1) > 1:  # these need the trainer's own backward
        return False
    wanted = _IN_THE_LAB | _LOSSES[lab.name]
    return all(lab.parameters.get(name, value) == value for name, value in wanted.items())


def code_of(lab: Lab, *answers: Any) -> str:
    """Return whose code trains: "srlab", "reference", or a short hash of the student's answers among these."""
    return whose_code.hash_of(*answers) if is_trained_in_the_lab(lab) else "srlab"
