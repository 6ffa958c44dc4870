"""The smallest run that has all that a lab's run has: noise, random steps, batch norm, averages, a schedule, scores."""

import functools
import itertools
import os
import tempfile
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.base.errors import SrlabError
from srlab.base.files import read_safetensors
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.patches import PatchSampler
from srlab.training.runs import Run
from srlab.training.schedules import OneCycle
from srlab.training.trainer import Trainer

LAB = "01_srresnet"
ITERS, VALIDATE_EVERY = 6, 2


@dataclass
class LittleRun:
    """What `Trainer.fit` is given; a test puts its fault into one of these."""

    trainer: Trainer
    step: Any
    sampler: PatchSampler

    def validate(self, averaged):
        return {"psnr": float(-averaged(torch.full((1, 3, 4, 4), 0.3)).square().mean() * 100 + torch.rand(()))}

    def fit(self, iters=ITERS):
        return self.trainer.fit(self.step, self.sampler, iters, OneCycle(ITERS), self.validate, VALIDATE_EVERY)


def little_run(name="default", gan=False, precision="no"):
    """One network or, as in a GAN, two with an optimiser each; nothing is trained yet."""
    torch.manual_seed(0)
    tail = nn.Conv2d(4, 48, 3, padding=1)
    generator = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.PReLU(), tail, nn.PixelShuffle(4))
    objects = {"generator": generator, "optimizer": torch.optim.Adam(generator.parameters(), lr=2e-3)}
    if gan:
        critic = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), nn.PReLU(), nn.Conv2d(4, 1, 3))
        objects |= {"critic": critic, "critic_optimizer": torch.optim.Adam(critic.parameters(), lr=1e-3)}
    random = torch.Generator().manual_seed(3)
    images = [torch.randint(0, 256, (3, 20, 24), generator=random, dtype=torch.uint8) for _ in range(2)]
    noisy = Degradation(noise=(0.0, 0.1))
    sampler = PatchSampler(ImageSet("random", ["a", "b"], images), patch=16, batch=2, degradation=noisy)
    trainer = Trainer(LAB, name, device="cpu", precision=precision, ema=0.9)
    objects = dict(zip(objects, trainer.prepare(**objects), strict=True))

    def update(optimizer, loss):
        objects[optimizer].zero_grad()
        trainer.backward(loss)
        objects[optimizer].step()

    def step(lr, hr):
        sr = objects["generator"](lr + 0.01 * torch.randn_like(lr))
        losses = {"loss": F.l1_loss(sr, hr)}
        if gan:
            losses["adversarial"] = F.softplus(-objects["critic"](sr)).mean()
        update("optimizer", sum(losses.values()))
        if gan:
            real, fake = objects["critic"](hr), objects["critic"](sr.detach())
            losses["critic"] = (F.softplus(-real) + F.softplus(fake)).mean()
            update("critic_optimizer", losses["critic"])
        return losses

    return LittleRun(trainer, step, sampler)


def what_is_left(name="default"):
    """All that decides how a run goes on and what it has come to: file -> bytes, and how it says it ended."""
    run = Run(LAB, name)
    kept = [file for file in run.path.rglob("*") if file.suffix in (".safetensors", ".jsonl", ".part")]
    manifest = run.manifest() or {}
    content = {file.relative_to(run.path).as_posix(): file.read_bytes() for file in sorted(kept)}
    return content | {key: manifest.get(key) for key in ("state", "step", "metrics", "parameters")}


def raising(function, error, *calls):
    """The function, but that it raises the error at its calls of these numbers."""
    count = itertools.count(1)

    def wrapped(*args, **settings):
        if next(count) in calls:
            raise type(error)(*error.args)  # a new one: an error remembers where it was raised
        return function(*args, **settings)

    return wrapped


def half_done(steps=4):
    """A run that was killed after so many of its steps."""
    little = little_run()
    little.step = raising(little.step, KeyboardInterrupt(), steps + 1)
    with pytest.raises(KeyboardInterrupt):
        little.fit()
    assert Run(LAB, "default").trained_steps() == steps


def refusal(words, function, *args):
    """The one sentence that a function ends with."""
    with pytest.raises(SrlabError, match=words) as caught:
        function(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@functools.cache
def undisturbed(iters=ITERS):
    """What is left of a run in this process to which nothing happened."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, SRLAB_HOME=folder):
        little_run().fit(iters)
        return what_is_left()


def require_whole(name="default"):
    """Every file of a run that has its final name can be read, and there is nothing else but parts."""
    run = Run(LAB, name)
    for file in run.path.rglob("*"):
        if file.suffix == ".safetensors":
            read_safetensors(file)
        elif file.is_file() and file.parent.name != "tensorboard":
            assert file.name in ("run.json", "metrics.jsonl", ".lock") or file.suffix == ".part", file
    run.manifest()
    rows = run.metrics()
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == sorted(set(steps))
    return run
