"""Killed with SIGKILL."""

import os
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.files import read_safetensors, write_atomic
from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file
from srlab.training.runs import Run

from .fault import KILLS, fault
from .kills import kill_until_done
from .little_run import LAB, little_run, require_whole, what_is_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL, which Windows lacks")
SAVES = 10
SIZE = 8_000_000  # bytes; writing them takes longer than all else around it


def has_bf16():
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def kill(work, folder, record_property, check, result):
    record_property("times", len(kill_until_done(work, folder, KILLS, check, result)))


# --- Training ---


def train(say, place, **kind):
    """Train to the end, and say what is saved once it is."""
    os.environ["SRLAB_HOME"] = str(place)
    little = little_run(**kind)
    run = little.trainer.run
    save_state, save_generator, update = run.save_state, run.save_generator, run.update

    def saving_state(step, tensors):
        save_state(step, tensors)
        say(f"state {step}")

    def saving_generator(generator, step, file="generator.safetensors"):
        save_generator(generator, step, file)
        say(f"{file} {step}")

    def updating(*manifest, **fields):
        written = update(*manifest, **fields)
        say(f"run.json {written['step']}")
        return written

    run.save_state, run.save_generator, run.update = saving_state, saving_generator, updating
    little.fit()


@pytest.fixture
def at(monkeypatch):
    """Look at the runs of a folder."""

    def look(function):
        def looking(place, *arguments):
            monkeypatch.setenv("SRLAB_HOME", str(place))
            return function(*arguments)

        return looking

    return look


def require_what_was_acknowledged(said):
    run = require_whole()
    for line in said:
        what, step = line.split()
        if what == "state":
            assert run.trained_steps() >= int(step)
        elif what == "run.json":
            assert run.manifest()["step"] >= int(step)
        else:
            # The best weights may be of a step that no state has yet: from the state before, it is done again.
            assert read_safetensors(run.path / what)[1]["step"] >= min(int(step), run.trained_steps())


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({}, id="one", marks=fault("kill -9 while a network trains", "same bytes, nothing saved is lost")),
        pytest.param(
            {"gan": True},
            id="gan",
            marks=fault("kill -9 while two networks train with two optimisers", "same bytes, nothing saved is lost"),
        ),
        pytest.param(
            {"precision": "bf16"},
            id="bf16",
            marks=[
                fault("kill -9 while a network trains in bf16", "same bytes, nothing saved is lost"),
                pytest.mark.skipif(not has_bf16(), reason="needs a CPU that computes in bfloat16"),
            ],
        ),
    ],
)
def test_training_killed_at_any_moment_ends_with_the_bytes_of_an_undisturbed_run(tmp_path, at, record_property, kind):
    def result():
        left = what_is_left()
        assert left["state"] == "finished"
        assert not [name for name in left if name.endswith(".part")]
        return left

    kill(partial(train, **kind), tmp_path, record_property, at(require_what_was_acknowledged), at(result))


# --- Saving ---


def save_in_a_loop(say, place):
    os.environ["SRLAB_HOME"] = str(place)
    run = Run(LAB, "default")
    with run.lock():
        state = run.load_state() or {"step": 0, "x": torch.zeros(1)}
        assert bool((state["x"] == state["step"]).all())
        for step in range(state["step"] + 1, SAVES + 1):
            run.save_state(step, {"x": torch.full((300_000,), float(step))})
            say(f"state {step}")


@fault(
    "kill -9 while a state of a megabyte is written", "the states before are whole; the half-written one has no name"
)
def test_a_kill_amid_a_save_leaves_the_states_before(tmp_path, at, record_property):
    def check(said):
        require_what_was_acknowledged(said)
        state = Run(LAB, "default").load_state() or {"step": 0, "x": torch.zeros(1)}
        assert bool((state["x"] == state["step"]).all())

    kill(save_in_a_loop, tmp_path, record_property, at(check), at(what_is_left))


def write_in_a_loop(say, place):
    file = place / "file"
    done = file.read_bytes()[0] if file.exists() else 0
    for step in range(done + 1, SAVES + 1):
        write_atomic(file, bytes([step]) * SIZE)
        say(str(step))


@fault("kill -9 while a file of megabytes is replaced", "the older file or the new one, and nothing in between")
def test_a_kill_amid_a_write_leaves_the_file_before(tmp_path, record_property):
    def content(place, said=()):
        file = place / "file"
        if not file.exists():
            assert not said
            return 0
        written = file.read_bytes()
        assert written == written[:1] * SIZE
        step = written[0]
        assert step >= max(map(int, said), default=0)
        return step

    kill(write_in_a_loop, tmp_path, record_property, content, content)


# --- Upscaling ---


def enlarge(say, place, force):
    source, target = place.parent.parent / "lr.png", place / "sr.png"
    if force and not target.exists():
        older = place.with_name(f"older for {place.name}")  # beside the folder, which is to hold nothing but the result
        older.write_bytes(b"older")
        older.replace(target)
        say("older")
    if force or not target.exists():
        upscale_file(source, target, lambda lr: upsample(lr, 2), 2, tile=8, overlap=4, progress=False, force=force)
    say("written")


@pytest.mark.parametrize(
    "force",
    [
        pytest.param(False, id="new", marks=fault("kill -9 while a photo is upscaled", "no file, or the whole one")),
        pytest.param(
            True,
            id="replace",
            marks=fault("kill -9 while a photo is upscaled over an older file", "the older file, or the whole new one"),
        ),
    ],
)
def test_upscaling_killed_at_any_moment_leaves_no_file_or_a_whole_one(tmp_path, record_property, force):
    photo = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "lr.png")
    truth = upscale_file(
        tmp_path / "lr.png", tmp_path / "truth.png", lambda lr: upsample(lr, 2), 2, tile=8, overlap=4, progress=False
    ).read_bytes()

    def check(place, said):
        file = place / "sr.png"
        if file.exists():
            assert file.read_bytes() in ((b"older", truth) if force else (truth,))
        assert file.exists() or not said

    def result(place):
        assert [file.name for file in place.iterdir()] == ["sr.png"]  # the parts of killed processes are swept
        return (place / "sr.png").read_bytes()

    kill(partial(enlarge, force=force), tmp_path / "rounds", record_property, check, result)
