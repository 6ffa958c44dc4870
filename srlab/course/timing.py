"""Measure a few steps of a lab's training on this machine, to estimate how long all of it takes."""

import contextlib
import io
import tempfile
from pathlib import Path

import torch

import srlab
from srlab import losses, models
from srlab.course import gan_plumbing
from srlab.course.exercises.flow.flow_loss import flow_loss
from srlab.course.lab import Lab, generator_of
from srlab.models.flow import bicubic
from srlab.training.recording import Step

RATE = 1e-7  # hardly changes the networks, whose values do not affect the time


class _Enough(Exception):
    pass


class _FewBatches(srlab.PatchSampler):
    """A sampler that ends the training after some batches."""

    left = 60

    def __next__(self) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.left:
            raise _Enough
        self.left -= 1
        return super().__next__()


def stages(lab: Lab) -> dict[str, int]:
    """Return the stages of a lab's training by name, with the number of steps of each."""
    if "discriminator" not in lab.parameters:
        return {"training": lab.iters}
    return {"PSNR stage": lab.pretrain_iters, "GAN": lab.iters}


def milliseconds_per_step(lab: Lab, stage: str) -> float:
    """Return the median milliseconds per step of a stage, without validation and checkpoints, from its first steps."""
    photos = srlab.bundled_photos("train")  # those of the lab may not be downloaded yet
    scale = lab.parameters.get("scale", 4)
    sampler = _FewBatches(photos, scale, lab.patch, lab.batch, lab.degradation, device=lab.device)
    with (
        tempfile.TemporaryDirectory() as scratch,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(_Enough),
    ):
        trainer = srlab.Trainer(lab.name, "timing", **lab.trainer_kwargs)
        trainer.run = srlab.Run(lab.name, "timing", Path(scratch))
        turns = lab.g_every if stage == "GAN" else 1
        trainer.fit(_step(lab, stage, trainer), sampler, stages(lab)[stage], validate_every=10**9, turns=turns)
    return trainer.history[-1]["ms_per_step"]


def _step(lab: Lab, stage: str, trainer: srlab.Trainer) -> Step:
    """Return a training step like the lab's, with networks of the same size."""
    shape = generator_of(lab.parameters)
    networks = {"generator": models.GENERATORS[shape.pop("network")](**shape)}
    networks["generator"].checkpointing = lab.parameters.get("checkpointing", False)
    if "features" in lab.parameters and stage != "PSNR stage":
        networks["features"] = srlab.FeatureExtractor(lab.features, "random")
    optimizers = {"g_optimizer": torch.optim.Adam(networks["generator"].parameters(), RATE, fused=True)}
    if stage == "GAN":
        d_features = lab.parameters.get("d_features", 0)
        networks["discriminator"] = models.build_discriminator(lab.discriminator, lab.patch, d_features)
        optimizers["d_optimizer"] = torch.optim.Adam(networks["discriminator"].parameters(), RATE, fused=True)
    trainer.prepare(**networks, **optimizers)
    generator, optimizer, features = (trainer.prepared.get(n) for n in ("generator", "g_optimizer", "features"))

    def content(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        return losses.content_loss(features, sr, hr, max_shift=lab.parameters.get("max_shift", 0))

    def loss_of(lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if isinstance(networks["generator"], models.FlowNet):
            return flow_loss(lambda x, t: generator(lr, x, t), hr - bicubic(lr, hr.shape[-1] // lr.shape[-1]))
        sr = generator(lr)
        return (sr - hr).square().mean() + (content(sr, hr) if features else 0)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = loss_of(lr, hr)
        optimizer.zero_grad()
        trainer.backward(loss)
        optimizer.step()
        return {"loss": loss}

    def gan_step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        goals = gan_plumbing.losses_of(lab, lab.gan, gan_plumbing.weights_of(lab), content)
        noise, g_turn = gan_plumbing.fading_noise(lab, trainer), trainer.turn == lab.g_every - 1
        return srlab.gan_step(trainer, lr, hr, *goals, noise, g_turn=g_turn)

    return gan_step if stage == "GAN" else step
