"""Measure a few steps of a lab's training on this machine, to estimate how long all of it takes."""

import contextlib
import io
import tempfile
from pathlib import Path

import torch

import srlab
from srlab import losses, models
from srlab.models.flow import bicubic
from srlab.training.recording import Step
from srlab_course.exercises.flow.flow_loss import flow_loss
from srlab_course.lab import gan_plumbing
from srlab_course.lab.lab import Lab, generator_of

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
        turns = lab.g_every if stage == "GAN" and lab.adversarial_weight else 1
        trainer = srlab.Trainer(lab.name, "timing", **lab.trainer_kwargs, turns=turns)
        trainer.run = srlab.Run(lab.name, "timing", Path(scratch))
        trainer.fit(_step(lab, stage, trainer), sampler, stages(lab)[stage], validate_every=10**9)
    return trainer.history[-1]["ms_per_step"]


def _step(lab: Lab, stage: str, trainer: srlab.Trainer) -> Step:
    """Return a training step like the lab's, with networks of the same size."""
    shape = generator_of(lab.parameters)
    generator = models.GENERATORS[shape.pop("network")](**shape)
    generator.checkpointing = lab.parameters.get("checkpointing", False)
    networks = {"generator": generator}
    if "features" in lab.parameters and stage != "PSNR stage":
        networks["features"] = srlab.FeatureExtractor(lab.features, "random")

    def content(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        features = trainer.prepared["features"]
        return losses.content_loss(features, sr, hr, max_shift=lab.parameters.get("max_shift", 0))

    def loss_of(lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if isinstance(generator, models.FlowNet):
            network = trainer.prepared["generator"]
            return flow_loss(lambda x, t: network(lr, x, t), hr - bicubic(lr, hr.shape[-1] // lr.shape[-1]))
        sr = trainer.prepared["generator"](lr)
        return (sr - hr).square().mean() + (content(sr, hr) if "features" in networks else 0)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = loss_of(lr, hr)
        trainer.update(loss, trainer.prepared["g_optimizer"])
        return {"loss": loss}

    if stage == "GAN":
        networks["discriminator"] = gan_plumbing.discriminator_of(lab)
    learning = {f"{name[0]}_optimizer": network for name, network in networks.items() if name != "features"}
    adams = {name: torch.optim.Adam(network.parameters(), RATE, fused=True) for name, network in learning.items()}
    trainer.prepare(**networks, **adams)
    if stage != "GAN":
        return step
    return gan_plumbing.step_of(lab, trainer, *gan_plumbing.losses_of(lab, gan_plumbing.weights_of(lab), content))
