"""The disk is really full, or really may not be written."""

import contextlib
import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file
from srlab.training.runs import Run

from .fault import fault
from .kills import Life
from .little_run import LAB, little_run, require_whole, what_is_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked, which Windows cannot")
TILES = {"tile": 8, "overlap": 4, "progress": False}


@pytest.fixture
def photo(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "lr.png")
    return tmp_path / "lr.png"


def train(say):
    little_run().fit()


def upscale(say, target, source):
    upscale_file(source, target, lambda lr: upsample(lr, 2) / 2, 2, **TILES, force=True)


@pytest.fixture
def goes_on_as_undisturbed(tmp_path, monkeypatch):
    """The run goes on, and leaves what another one leaves to which nothing happened."""

    def require():
        left = []
        for home in (None, tmp_path / "undisturbed"):
            if home:
                monkeypatch.setenv("SRLAB_HOME", str(home))
            life = Life(train)
            assert life.end() == 0, life.said
            left.append(what_is_left())
        assert left[0] == left[1]

    return require


def require_one_sentence(said, *words):
    assert len(said) == 1
    assert said[0].startswith("SrlabError: ")
    assert "\n" not in said[0]
    assert all(word in said[0] for word in words), said


# --- Full ---


def train_with_small_files(say, largest):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    train(say)


@pytest.mark.parametrize("largest", [200, 4000])
@fault("a limit on the size of files stops a training run", "one sentence, states are whole; rerun: same bytes")
def test_a_run_under_a_limit_of_the_system_stops_and_goes_on_without_it(goes_on_as_undisturbed, largest):
    stopped = Life(train_with_small_files, largest)
    assert stopped.end() == 2, stopped.said
    require_one_sentence(stopped.said, "File too large")
    require_whole()
    goes_on_as_undisturbed()


@pytest.fixture
def small_disk(tmp_path):
    """A real file system in memory; only who administers the system may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"cannot mount a small disk: {error}")
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(ballast, free):
    """Leave so many kilobytes free on the disk."""
    room = os.statvfs(ballast.parent)
    ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - free * 1024))


@pytest.mark.parametrize("free", [24, 64])  # kilobytes
@fault("a small disk fills up during training", "one sentence, states are whole; rerun with room: same bytes")
def test_a_run_on_a_disk_that_fills_up(small_disk, monkeypatch, goes_on_as_undisturbed, free):
    monkeypatch.setenv("SRLAB_HOME", str(small_disk / "runs"))
    fill(small_disk / "ballast", free)
    stopped = Life(train)
    assert stopped.end() == 2, stopped.said
    require_one_sentence(stopped.said, "No space left on device")
    require_whole()
    (small_disk / "ballast").unlink()
    goes_on_as_undisturbed()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@fault("a small disk fills up while a photo is upscaled", "one sentence, the older file is whole, no part is left")
def test_upscaling_onto_a_disk_that_fills_up(small_disk, photo, suffix):
    target, ballast, code = small_disk / f"sr{suffix}", small_disk / "ballast", 2
    target.write_bytes(b"older")
    for free in range(0, 80, 8):  # kilobytes; the pixels take 24, the file up to as many again
        ballast.unlink(missing_ok=True)
        fill(ballast, free)
        life = Life(upscale, target, photo)
        if (code := life.end()) == 0:
            break
        require_one_sentence(life.said, f"Could not write {target} (")
        assert target.read_bytes() == b"older"
        assert sorted(file.name for file in small_disk.iterdir()) == ["ballast", target.name]
    assert (code, free >= 24) == (0, True), life.said
    with Image.open(target) as made:
        assert made.size == (100, 80)
        made.load()


@fault("many photos are upscaled by one process", "the room that each of them took for a while is free again")
def test_upscaling_gives_back_the_room_of_its_pixels(small_disk, photo):
    free = os.statvfs(small_disk).f_bfree
    for _ in range(2):
        upscale(None, small_disk / "sr.jpg", photo)
        (small_disk / "sr.jpg").unlink()
        assert os.statvfs(small_disk).f_bfree == free


# --- May not be written ---


def obey_permissions():
    """Let go of what lets root write everywhere; everybody else obeys them anyway."""
    if os.getuid() == 0:
        if sys.platform != "linux":
            raise SrlabError("root cannot be made to obey permissions on this system")
        header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()  # version 3, this process
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capget(header, sets) == 0
        sets[0] &= ~0b110  # effective: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        assert libc.capset(header, sets) == 0


def obediently(say, work, *arguments):
    obey_permissions()
    work(say, *arguments)


@contextlib.contextmanager
def read_only(folder):
    """Hold a folder and all in it read-only, and see that nothing in it changes."""

    def times():
        return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}

    modes, before = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}, times()
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
        assert times() == before
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def refusal(folder, *work):
    with read_only(folder):
        refused = Life(obediently, *work)
        code = refused.end()
    if "on this system" in refused.said[-1]:
        pytest.skip(refused.said[-1])
    assert code == 2, refused.said
    return refused.said


@pytest.mark.parametrize("where", ["home", "lab", "run"])
@fault("the folder of runs, of a lab or of a run may not be written", "one sentence, nothing is changed; goes on later")
def test_a_run_that_may_not_be_written_is_left_as_it_is(goes_on_as_undisturbed, home, where):
    run = Run(LAB, "default")
    folder = {"home": home, "lab": run.path.parent, "run": run.path}[where]
    folder.mkdir(parents=True)
    if where == "run":
        assert Life(train_two_steps).end() == 0
    require_one_sentence(refusal(folder, train), "Permission denied", str(run.path), "SRLAB_HOME")
    goes_on_as_undisturbed()


def train_two_steps(say):
    little = little_run()
    step = little.step

    def stopping_step(lr, hr):
        if little.trainer.step == 2:
            sys.exit(0)
        return step(lr, hr)

    little.step = stopping_step
    little.fit()


@pytest.mark.parametrize("below", ["", "below"])
@fault("the folder of the result may not be written", "one sentence, nothing is changed")
def test_a_photo_that_may_not_be_written_is_left_as_it_is(tmp_path, photo, below):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "sr.png").write_bytes(b"older")
    target = folder / below / "sr.png"
    require_one_sentence(refusal(folder, upscale, target, photo), "Permission denied", str(target))
    assert (folder / "sr.png").read_bytes() == b"older"
