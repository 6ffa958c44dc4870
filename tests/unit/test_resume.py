"""A run that is killed at any moment and started again with the same command ends with the same bytes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from srlab import files
from srlab.datasets import ImageSet
from srlab.degradation import Degradation
from srlab.models import MSRResNet, SRResNet
from srlab.patches import PatchSampler
from srlab.runs import Run
from srlab.schedules import OneCycle
from srlab.training import Trainer

HERE = Path(__file__).parent
LAB = "01_srresnet"
FILES = ("generator.safetensors", "generator-best-psnr.safetensors")


def train(name, iters, validate_every, precision="no", network=MSRResNet, say=lambda step: None):
    """A lab in short: noisy patches, a random step, averaged weights, a schedule, validation."""
    torch.manual_seed(0)
    generator = network(1, 4)
    optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3)
    random_images = torch.Generator().manual_seed(3)
    images = [torch.randint(0, 256, (3, 30, 36), generator=random_images, dtype=torch.uint8) for _ in range(2)]
    noisy = Degradation(noise=(0.0, 0.1))
    sampler = PatchSampler(ImageSet("random", ["a", "b"], images), patch=16, batch=2, degradation=noisy)
    trainer = Trainer(LAB, name, device="cpu", precision=precision, ema=0.9)
    generator, optimizer = trainer.prepare(generator=generator, optimizer=optimizer)

    def step(lr, hr):
        say(trainer.step + 1)
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


# --- kill -9 -------------------------------------------------------------------------------------------------

ITERS = 40
PRECISIONS = ("no", "bf16")


def has_bf16():
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def main():
    """What the killed process does: one run per precision; each step is announced as it begins."""
    for precision in PRECISIONS if has_bf16() else PRECISIONS[:1]:
        train(precision, ITERS, 6, precision, SRResNet, lambda step, p=precision: print(p, step, flush=True))


def start(home):
    environment = os.environ | {"SRLAB_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    return subprocess.Popen(
        [sys.executable, __file__], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def announced(line):
    """Whether a line announces a step (accelerate and the trainer print as well)."""
    return re.fullmatch(r"(no|bf16) \d+\n", line)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL, which Windows lacks")
def test_runs_killed_at_random_moments_end_with_the_bytes_of_an_undisturbed_one(tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed of the moments of the kills: {seed}")
    chance = random.Random(seed)
    home = tmp_path / "killed"
    process = reference = start(tmp_path / "reference")
    started, kills = set(), []
    try:
        for number in range(4):
            process = start(home)
            last = chance.randint(1, 12 if number % 2 else 20)  # die in the step, save or validation after so many
            pause = chance.uniform(0, 0.02)
            done = 0
            for line in process.stdout:
                if announced(line):
                    started.add(line)
                    done += 1
                if done == last:
                    time.sleep(pause)
                    break
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            process.stdout.close()
            assert process.returncode == -signal.SIGKILL
            kills.append(line.strip())
        print(f"killed after: {', '.join(kills)}")
        process = start(home)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert reference.wait(120) == 0
    finally:
        for child in (process, reference):
            child.kill()
            child.wait()
            child.stdout.close()
    assert "Going on with the run" in said
    for precision in PRECISIONS if has_bf16() else PRECISIONS[:1]:
        for file in (*FILES, "metrics.jsonl"):
            whole, pieced = (folder / LAB / precision / file for folder in (tmp_path / "reference", home))
            assert whole.read_bytes() == pieced.read_bytes(), f"{precision} {file}, kills after {kills}, seed {seed}"


if __name__ == "__main__":
    main()
