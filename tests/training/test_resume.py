"""A run that is killed at any moment and started again with the same command ends with the same bytes."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from srlab.base import files
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.patches import PatchSampler
from srlab.models import MSRResNet
from srlab.training import checkpoints
from srlab.training.runs import Run
from srlab.training.schedules import OneCycle
from srlab.training.trainer import Trainer

HERE = Path(__file__).parent
LAB = "01_srresnet"
FILES = ("generator.safetensors", "generator-best-psnr.safetensors")


def train(name, iters, validate_every):
    """A lab in short: noisy patches, a random step, averaged weights, a schedule, validation."""
    torch.manual_seed(0)
    generator = MSRResNet(1, 4)
    optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3)
    random_images = torch.Generator().manual_seed(3)
    images = [torch.randint(0, 256, (3, 30, 36), generator=random_images, dtype=torch.uint8) for _ in range(2)]
    noisy = Degradation(noise=(0.0, 0.1))
    sampler = PatchSampler(ImageSet("random", ["a", "b"], images), patch=16, batch=2, degradation=noisy)
    trainer = Trainer(LAB, name, device="cpu", precision="no", ema=0.9)
    generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)

    def step(lr, hr):
        loss = F.l1_loss(generator(lr + 0.01 * torch.randn_like(lr)), hr)
        optimizer.zero_grad()
        trainer.backward(loss)
        optimizer.step()
        return {"loss": loss}

    def validate(averaged):
        return {"psnr": float(-averaged(torch.full((1, 3, 4, 4), 0.3)).square().mean() * 100 + torch.rand(()))}

    return trainer.fit(step, sampler, iters, OneCycle(iters), validate, validate_every)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "runs"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / "runs"
    torch.set_num_threads(threads)


def result(name):
    """What a run leaves: its weights, byte by byte, and its log."""
    run = Run(LAB, name)
    return [(run.path / file).read_bytes() for file in FILES], run.metrics(), run.manifest()["state"]


# --- Every write, one after the other ------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone: nothing that catches errors sees it."""


def crashing_at(number, when):
    """`write_atomic` that dies before or after its write of that number, or leaves a half-written part."""
    calls = iter(range(1, 10**6))
    write = files.write_atomic

    def wrapped(path, content, advice):
        crash = next(calls) == number
        if crash and when == "amid":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.99999.part").write_bytes(content[: len(content) // 2])
        if not (crash and when in ("before", "amid")):
            write(path, content, advice)
        if crash:
            raise Crash

    return wrapped


@pytest.mark.parametrize("when", ["before", "amid", "after"])
def test_a_crash_at_any_single_write_changes_nothing_in_the_end(monkeypatch, when):
    train("straight", 5, 2)
    expected = result("straight")
    number, crashed = 0, True
    while crashed:
        number += 1
        name = f"crash{number}"
        with monkeypatch.context() as broken:
            broken.setattr(files, "write_atomic", crashing_at(number, when))
            try:
                train(name, 5, 2)
                crashed = False
            except Crash:
                pass
        train(name, 5, 2)
        assert result(name) == expected, f"after a crash {when} write {number}"
        assert not list(Run(LAB, name).path.rglob(".*.part"))
    assert number > 15  # the run does write: four states, weights, manifests


# --- The scale of float16 ------------------------------------------------------------------------------------


def scaler(start):
    made = torch.amp.GradScaler("cpu", init_scale=start)
    made.scale(torch.ones(()))  # only then it has a scale
    return made


def test_the_scale_of_gradients_is_kept_and_begins_anew_where_a_run_had_none():
    cpu = torch.device("cpu")
    for saved, scale in (({"scaler": checkpoints.Numbers(scaler(8.0))}, 8), ({}, 2)):
        resumed = scaler(2.0)
        checkpoints.unpack(checkpoints.pack(saved, {}, cpu), {"scaler": checkpoints.Numbers(resumed)}, {}, cpu)
        assert resumed.get_scale() == scale
