"""Code of labs 02 to 04 that students can skip: patches, pretraining, and the training that all GANs share."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from srlab import losses
from srlab.data.patch_sampler import PatchSampler
from srlab.errors import SrlabError
from srlab.models import build_discriminator
from srlab.models.discriminators import Noise, WithNoise
from srlab.training.cuda_graph import Step
from srlab.training.gan import DLoss, GLoss, chances, gan_step
from srlab.training.schedules import Schedule
from srlab.training.trainer import Losses, Trainer
from srlab_course.lab.shared_settings import GanLab

# Settings that are recorded with a run, if the lab has them; the trainer itself records the discriminator.
NOTED: tuple[str, ...] = ("pixel", "content", "relative", "max_shift", "instance_noise", "instance_noise_until")
NOTED += tuple(name for name, one in GanLab.settings.items() if not one.answers_follow and name != "discriminator")
WEIGHTS = {"pixel": "pixel_weight", "content": "content_weight", "adversary": "adversarial_weight"}


def patches_of(lab: GanLab) -> PatchSampler:
    """Return the sampler that the lab's recipe specifies; each call starts with the same patches."""
    sizes, augment = (lab.scale, lab.patch, lab.batch), lab.parameters.get("augment", "all")
    return PatchSampler(lab.train_set, *sizes, lab.degradation, augment, lab.seed, lab.device)


def train_start(
    lab: GanLab,
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
        trainer.update(value, optimizer)
        return {"loss": value}

    return trainer.fit(step, patches_of(lab), lab.pretrain_iters, schedule, **validation)


def weights_of(lab: GanLab) -> dict[str, float]:
    """Return the weights of G's loss from the recipe: ``"pixel"``, ``"content"`` and ``"adversary"``, not all 0."""
    weights = {part: lab.parameters[name] for part, name in WEIGHTS.items()}
    if not any(weights.values()):
        raise SrlabError("All three weights of G's loss are 0. Set one of them above 0.")
    return weights


# --- The training that all GANs share: the trainer, the course's losses, and the run. -----------------------------


def make_trainer(
    lab: GanLab, name: str, weights: dict[str, float], rate: float, origin: str, **settings: Any
) -> Trainer:
    """Return the trainer of a GAN run, and seed PyTorch for the initial weights of D.

    Parameters
    ----------
    weights
        Weights of the parts of G's loss, as `weights_of` returns them.
    rate
        Learning rate of D.
    origin
        Name of the pretrained network; "" for a fresh one.
    settings
        Recorded with the run, besides those of the recipe. It only resumes with the same ones.
    """
    torch.manual_seed(lab.seed)
    noted = {key: lab.parameters[key] for key in NOTED if key in lab.parameters}
    noted |= {WEIGHTS[part]: weight for part, weight in weights.items()}
    noted |= {"discriminator_rate": rate, "start": origin} | settings
    averaging: dict[str, Any] = {"ema": lab.ema, "ema_warmup": 3 if origin else 10}
    turns = lab.g_every if weights["adversary"] else 1  # a G that doesn't learn from D doesn't wait for it
    return Trainer(lab.name, name, **lab.trainer_kwargs, **averaging, seed=lab.seed, settings=noted, turns=turns)


def discriminator_of(lab: GanLab) -> nn.Module:
    """Return a new discriminator, the one that the recipe names."""
    return build_discriminator(lab.discriminator, lab.patch, lab.parameters.get("d_features", 0))


def losses_of(lab: GanLab, weights: dict[str, float], content: Callable[..., torch.Tensor]) -> tuple[DLoss, GLoss]:
    """Return the losses of D and G that the recipe names, as `srlab.gan_step` takes them.

    `content` is the content loss ``content(sr, hr)``. A part with weight 0 is not computed.
    """

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        labels: tuple[losses.Labels, losses.Labels] = (1.0, 0.0)
        if (lab.label_real, lab.label_flip) != labels:
            labels = losses.smooth_labels(real, lab.label_real, lab.label_flip)
        return losses.discriminator_loss(real, fake, lab.gan, labels)

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
        parts = []
        if weights["pixel"]:
            parts.append((weights["pixel"], losses.PIXEL_LOSSES[lab.pixel](sr, hr)))
        if weights["content"]:
            parts.append((weights["content"], content(sr, hr)))
        if weights["adversary"]:
            fake = discriminator(sr)
            real = discriminator(hr) if losses.ADVERSARIAL[lab.gan].relativistic else fake  # else it is not read
            parts.append((weights["adversary"], losses.generator_loss(real, fake, lab.gan)))
        return losses.hybrid(*parts)

    return d_loss, g_loss


def train_gan(
    lab: GanLab,
    trainer: Trainer,
    pretrained: nn.Module,
    fixed: dict[str, nn.Module],
    patches: PatchSampler,
    iters: int,
    discriminator: nn.Module,
    d_loss: DLoss,
    g_loss: GLoss,
    train_step: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None,
    **options: Any,
) -> nn.Module:
    """Train a copy of a pretrained network against a new discriminator, and return its moving average.

    It trains like the answer to lab 03's `train_gan`, with the settings of any recipe.

    Parameters
    ----------
    trainer
        See `make_trainer`, which also has the learning rate of D.
    fixed
        Networks without trainable weights that `g_loss` uses, for ``trainer.prepare``.
    d_loss, g_loss
        See `srlab.gan_step`.
    train_step
        A student's step, which returns both losses; None for `srlab.gan_step`.
    options
        Arguments of ``trainer.fit``.
    """
    generator = copy.deepcopy(pretrained).train().requires_grad_(True)
    adam: dict[str, Any] = {"betas": lab.betas, "fused": True}
    d_rate = trainer.settings["discriminator_rate"]
    trainer.prepare(
        generator=generator,
        discriminator=discriminator,
        g_optimizer=torch.optim.Adam(generator.parameters(), lab.learning_rate, **adam),
        d_optimizer=torch.optim.Adam(discriminator.parameters(), d_rate, **adam),
        **fixed,
    )
    return trainer.fit(step_of(lab, trainer, d_loss, g_loss, train_step), patches, iters, **options)


def step_of(
    lab: GanLab,
    trainer: Trainer,
    d_loss: DLoss,
    g_loss: GLoss,
    train_step: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None,
) -> Step:
    """Return the training step of a GAN whose networks and optimizers the trainer has prepared; see `train_gan`.

    Instance noise fades, and both losses and D's outputs are logged. With `Lab.g_every` above 1, which the trainer has
    as its `turns`, G learns only in every second or third step.
    """
    generator, g_optimizer = trainer.prepared["generator"], trainer.prepared["g_optimizer"]
    discriminator, d_optimizer = WithNoise(trainer.prepared["discriminator"]), trainer.prepared["d_optimizer"]
    players = generator, discriminator, g_optimizer, d_optimizer
    relativistic = losses.ADVERSARIAL[lab.gan].relativistic

    def step(lr: torch.Tensor, hr: torch.Tensor) -> Losses:
        discriminator.noise, outputs = fading_noise(lab, trainer), {}

        def observed_d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            outputs.update(chances(real, fake, relativistic))
            return d_loss(real, fake)

        if train_step is None:
            g_turn = trainer.turn == trainer.turns - 1
            found = gan_step(*players, lr, hr, observed_d_loss, g_loss, trainer.update, g_turn)
        else:
            found = dict(zip(("d_loss", "g_loss"), train_step(*players, lr, hr, observed_d_loss, g_loss), strict=True))
        return outputs | found

    return step


def fading_noise(lab: GanLab, trainer: Trainer) -> Noise:
    """Return the instance noise of this step, which falls to 0 during the run or its share ``instance_noise_until``."""
    until = lab.parameters.get("instance_noise_until", 1.0)
    if not lab.instance_noise or not until:
        return 0.0
    return lab.instance_noise * (1 - trainer.progress / until).clamp(min=0)
