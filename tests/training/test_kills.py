"""Test training processes that are killed, stopped, run twice at once, or meet a full disk."""

import errno
import itertools
import os
import random
import signal
import sys
import time

import pytest

from srlab.models import MSRResNet
from srlab.models.loading import load_generator
from srlab.tensor_files import read_safetensors
from srlab.training.interrupts import TrainingStopped
from srlab.training.runs import Run
from tests.kills import KILLS, Life
from tests.stops import Stoppable

from .little_run import EVERY, LAB, LittleRun, refusal, undisturbed, what_is_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills processes")


def require_whole():
    """Check that every file of the run with its final name is readable; return the step of its checkpoint."""
    run = Run(LAB, "default")
    for file in run.path.rglob("*"):
        if file.suffix == ".safetensors":
            read_safetensors(file)
        elif file.is_file() and file.parent.name != "tensorboard":
            assert file.name in ("run.json", "metrics.jsonl", ".lock") or file.suffix in (".part", ".pt"), file
    run.manifest()
    steps = [row["step"] for row in run.metrics() if "loss" in row]
    assert steps == sorted(set(steps))
    return (run.load_checkpoint() or {"step": -1})["step"]


# --- kill -9 -------------------------------------------------------------------------------------------------


def train(say):
    """Train to the end, and report each checkpoint once it is saved."""
    little = LittleRun()
    save = little.run.save_checkpoint

    def save_and_tell(state):
        save(state)
        say(str(state["step"]))

    little.run.save_checkpoint = save_and_tell
    little.fit()


def test_killed_run_ends_bit_identical(tmp_path, monkeypatch):
    """Kill a run at random times; restart it until it ends before its next kill."""
    seed, moments = random.SystemRandom().randrange(10**6), []
    chance, life = random.Random(seed), Life(train)
    assert life.end() == 0, life.said
    longest, expected = time.monotonic() - life.begun, what_is_left()
    rounds = itertools.count()
    while len(moments) < KILLS:
        monkeypatch.setenv("SRLAB_HOME", str(tmp_path / str(next(rounds))))
        life, said = Life(train), []
        while len(moments) < KILLS and life.kill_after(chance.uniform(0, longest)):
            moments.append(time.monotonic() - life.begun)
            said += life.said
            assert require_whole() >= max(map(int, said), default=-1)
            life = Life(train)
        told = f"seed {seed}, kills after {moments} s"
        assert life.end() == 0, f"{told}: {life.said}"
        assert what_is_left() == expected, told


# --- A notebook ---------------------------------------------------------------------------------------------------

LONG = {"iters": 150, "validate_every": 20}
NOTEBOOK = f"""
import time
from tests.training.little_run import LittleRun

little = LittleRun()
little.before_step = lambda number: time.sleep(0.02)
write = little.run.save_checkpoint
little.run.save_checkpoint = lambda state: (time.sleep(0.3), write(state))
little.fit(**{LONG})
"""
TAKES = 7  # seconds of training


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["launcher", "papermill"])
def test_stopped_notebook_ends_bit_identical(way, tmp_path, monkeypatch):
    """Stop a notebook at random times, most of them after training has begun."""
    seed, stops = random.SystemRandom().randrange(10**6), []
    chance, rounds = random.Random(seed), itertools.count()
    choices = [(number, False) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)]
    choices.append((signal.SIGTERM, True))  # to the kernel, too, as from Slurm
    LittleRun().fit(**LONG)
    expected = what_is_left()
    while len(stops) < min(KILLS, 50):
        monkeypatch.setenv("SRLAB_HOME", str(tmp_path / str(next(rounds))))
        code = None
        while code != 0:
            (number, everywhere), training = chance.choice(choices), chance.random() < 0.75
            run, begun = Run(LAB, "default"), time.monotonic()
            notebook, before = Stoppable(tmp_path, NOTEBOOK, way), run.metrics()
            if len(stops) < min(KILLS, 50):
                if training:
                    process = notebook.process  # which ends without a new row if the run was finished
                    notebook.wait_for(lambda: process.poll() is not None or run.metrics() != before)  # noqa: B023
                until = time.monotonic() + chance.uniform(0, TAKES)
                while time.monotonic() < until and notebook.process.poll() is None:
                    time.sleep(0.01)
                if notebook.process.poll() is None:
                    notebook.send(number, everywhere)
                    stops.append(f"{number.name}{' to all' * everywhere} after {time.monotonic() - begun:.1f} s")
            code, error = notebook.end()
            told = f"seed {seed}, {way}, {stops}: {error}"
            if training and way == "launcher" and number != signal.SIGKILL:
                status = run.manifest()["status"]
                ended = (0, 128 + number, -number) if status == "finished" else (128 + number,)
                assert code in ended, told
                assert "Traceback" not in error, told
                assert status in ("stopped", "finished"), told
            require_whole()
        left = what_is_left()
        steps = {row["step"] for row in expected["log"]}
        left["log"] = [row for row in left["log"] if row["step"] in steps]  # a stop logs its step, too
        assert left == expected, told
    print(way, stops)


# --- Two processes -------------------------------------------------------------------------------------------


def train_and_wait(say):
    """Stay in the first step of the run until this process is killed."""
    little = LittleRun()
    little.before_step = lambda number: (say("training"), signal.pause())
    little.fit()


def test_run_in_use_is_rejected_until_process_ends():
    life = Life(train_and_wait)
    life.wait_for(1)
    before = what_is_left()
    refusal("Another process is using .* Wait .* or choose another run name", LittleRun().fit)
    assert what_is_left() == before
    assert life.kill_after(0)
    LittleRun().fit()
    assert what_is_left() == undisturbed()


# --- SIGTERM --------------------------------------------------------------------------------------


def train_until_stopped(say):
    little = LittleRun(network=lambda: MSRResNet(1, 4))
    little.before_step = lambda number: say(f"step {number}")
    try:
        little.fit(100_000, validate=None, validate_every=100_000)
    except TrainingStopped as stopped:
        say(str(stopped))
        raise


def test_sigterm_finishes_step_and_saves():
    life = Life(train_until_stopped)
    life.wait_for(13)
    life.process.terminate()
    assert life.end() == 1, life.said
    run = Run(LAB, "default")
    step, manifest = require_whole(), run.manifest()
    assert step >= 13
    assert f"Stopped at step {step} of 100000; everything is saved in {run.path}." in "".join(life.said)
    assert (manifest["status"], manifest["step"], run.metrics()[-1]["step"]) == ("stopped", step, step)
    assert all(value.isfinite().all() for value in load_generator(LAB).parameters())


# --- Full disk -----------------------------------------------------------------------------------------------


def test_full_disk_stops_run_until_space_is_free(monkeypatch):
    writes = []

    def full_after_some_writes(number):
        writes.append(number)
        if len(writes) > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", full_after_some_writes)
        refusal("No space left on device", LittleRun().fit, EVERY)
    require_whole()
    LittleRun().fit(EVERY)
    assert what_is_left() == undisturbed(EVERY)
