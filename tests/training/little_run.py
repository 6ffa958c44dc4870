"""Provide the smallest run with all parts of a lab's: noise, random steps, batch norm, EMA, schedule, scores."""

import functools
import os
import tempfile
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam

import srlab
from srlab import losses
from srlab.data.degradation import Degradation
from srlab.data.image_set import ImageSet
from srlab.data.patch_sampler import PatchSampler
from srlab.errors import SrlabError
from srlab.models import WithNoise
from srlab.training.runs import Run
from srlab.training.schedules import OneCycle
from srlab.training.trainer import Trainer

LAB = "01_srresnet"
ITERS, EVERY = 6, 2
NOISY = Degradation(noise=(0.0, 0.1))


def images(*sizes):
    """Return noise images."""
    random = torch.Generator().manual_seed(3)
    sizes = enumerate(sizes or ((20, 24), (20, 24)))
    pixels = {str(i): torch.randint(0, 256, (3, *size), generator=random, dtype=torch.uint8) for i, size in sizes}
    return ImageSet.from_images("random", pixels)


def plain():
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.PReLU(), nn.Conv2d(4, 48, 3, padding=1)
    return nn.Sequential(*layers, nn.PixelShuffle(4))


def g_loss(sr, hr, discriminator):
    return F.mse_loss(sr, hr) + 0.1 * F.softplus(-discriminator(sr)).mean()


class LittleRun:
    """The objects of a lab's cells, created as in a new kernel; tests put a fault into one of them.

    `gan` adds a discriminator. `before_step` is called with the number of the step, and `change` with it and the
    losses, which it returns.
    """

    def __init__(self, run="default", network=plain, optimizer=Adam, rate=1e-3, gan=None, sampler=None, **settings):
        torch.manual_seed(0)
        self.network = network()
        self.make_optimizer = optimizer
        self.raw_optimizer = optimizer(self.network.parameters(), lr=rate)
        self.discriminator = gan() if gan else None
        self.sampler = PatchSampler(images(), **({"patch": 16, "batch": 2, "degradation": NOISY} | (sampler or {})))
        self.trainer = Trainer(LAB, run, **({"device": "cpu", "precision": "fp32", "ema": 0.9} | settings))
        self.run = self.trainer.run
        self.rates, self.losses, self.noise = [], [], 0.01
        self.before_step = lambda number: None
        self.change = lambda number, losses: losses
        self.note = lambda made: self.losses.append({name: loss.item() for name, loss in made.items()})
        self.prepare()

    def prepare(self, **others):
        """Run the cell that prepares networks and optimizers."""
        things = {"generator": self.network, "optimizer": self.raw_optimizer} | others
        if self.discriminator:
            d_optimizer = self.make_optimizer(self.discriminator.parameters(), lr=1e-3)
            things["g_optimizer"] = things.pop("optimizer")
            things |= {"discriminator": self.discriminator, "d_optimizer": d_optimizer}
        self.trainer.prepare(**things)
        self.things = self.trainer.prepared

    def gan_step(self, lr, hr, g_turn=True, noise=0.0):
        players = [self.things[name] for name in ("generator", "discriminator", "g_optimizer", "d_optimizer")]
        players[1] = WithNoise(players[1], noise)
        return srlab.gan_step(*players, lr, hr, losses.discriminator_loss, g_loss, self.trainer.update, g_turn)

    def step(self, lr, hr):
        number = self.trainer.steps_done + 1
        self.before_step(number)
        self.rates.append(self.raw_optimizer.param_groups[0]["lr"])
        lr = lr + self.noise * torch.randn_like(lr)
        if self.discriminator:
            made = self.gan_step(lr, hr)
        else:
            made, optimizer = {"loss": F.mse_loss(self.things["generator"](lr), hr)}, self.things["optimizer"]
            optimizer.zero_grad()
            made["loss"].backward()
            optimizer.step()
        self.note(made)
        return self.change(number, made)

    def validate(self, averaged):
        return {"psnr": float(-averaged(torch.full((1, 3, 4, 4), 0.3)).square().mean() * 100 + torch.rand(()))}

    def fit(self, iters=ITERS, **settings):
        defaults = {"schedule": OneCycle(iters), "validate": self.validate, "validate_every": EVERY}
        return self.trainer.fit(self.step, self.sampler, iters, **defaults | settings)

    def fail_at(self, number, error, *iters, **settings):
        """Fit, and raise an error at the beginning of a step."""

        def before_step(step):
            if step == number:
                raise error

        self.before_step = before_step
        with pytest.raises(type(error)):
            self.fit(*iters, **settings)
        self.before_step = lambda number: None


def tensors_in(state):
    """Return the tensors of networks and optimizers, flat."""
    parts = [*state["networks"].values(), *(slot for slots in state["optimizers"].values() for slot in slots.values())]
    return {f"{i}/{key}": v for i, part in enumerate(parts) for key, v in part.items() if isinstance(v, torch.Tensor)}


def timeless(row):
    """Return a row of the log without the time that its steps took."""
    return {name: value for name, value in row.items() if name != "ms_per_step"}


class Crash(BaseException):
    """A simulated kill, which no error handler catches."""


def half_done(run="default"):
    """Create a run that was killed after four of its six steps."""
    LittleRun(run).fail_at(5, Crash())


def what_is_left(run="default"):
    """Return everything that determines the state and continuation of a run, as bytes."""
    run = Run(LAB, run)
    left = {file.name: file.read_bytes() for file in run.path.iterdir() if file.suffix == ".safetensors"}
    left["log"] = [timeless(row) for row in run.metrics()]
    state, manifest = run.load_checkpoint(), run.manifest()
    tensors = tensors_in(state) | {"random": state["random"]["cpu"]}
    left |= {name: value.numpy().tobytes() for name, value in tensors.items()}
    left |= {name: manifest[name] for name in ("status", "step", "parameters")} | {
        "metrics": timeless(manifest["metrics"])
    }
    return left | {"best": state["best"], "parts": [*run.path.rglob(".*.part")]}


@functools.cache
def undisturbed(iters=ITERS, **settings):
    """Return the final state of an undisturbed run in this process."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, SRLAB_HOME=folder):
        LittleRun(**settings).fit(iters)
        return what_is_left()


def refusal(words, function, *arguments, **settings):
    """Return the error message of a function, which must be one sentence."""
    with pytest.raises(SrlabError, match=words) as caught:
        function(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)
