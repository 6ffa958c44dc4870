"""Upscaling a photo is killed, or done by two processes at once: no file, or a whole one."""

import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file
from tests.kills import KILLS, Life, context, kill_until_done

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked and killed")


@pytest.fixture
def photo(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "lr.png")
    return tmp_path / "lr.png"


def enlarge(source, target, method="bicubic", force=False):
    return upscale_file(source, target, partial(upsample, scale=2, method=method), 2, force=force, progress=False)


def enlarge_in(say, place, force):
    target = place / "sr.png"
    if force and not target.exists():
        older = place.with_name(f"older for {place.name}")  # beside the folder, which is to hold nothing but the result
        older.write_bytes(b"older")
        older.replace(target)
        say("older")
    if force or not target.exists():
        enlarge(place.parent.parent / "lr.png", target, force=force)
    say("written")


@pytest.mark.parametrize("force", [False, True])
def test_upscaling_killed_at_any_moment_leaves_no_file_or_a_whole_one(photo, tmp_path, force):
    truth = enlarge(photo, tmp_path / "truth.png").read_bytes()

    def check(place, said):
        file = place / "sr.png"
        if file.exists():
            assert file.read_bytes() in ((b"older", truth) if force else (truth,))
        assert file.exists() or not said

    def result(place):
        assert [file.name for file in place.iterdir()] == ["sr.png"]  # the parts of killed processes are swept
        return (place / "sr.png").read_bytes()

    kill_until_done(partial(enlarge_in, force=force), tmp_path / "rounds", check, result)


def enlarge_beside(say, start, *arguments):
    start.wait(20)
    enlarge(*arguments)
    say("written")


@pytest.mark.parametrize("force", [False, True])
def test_of_two_processes_that_upscale_into_one_file_one_leaves_it_whole(photo, tmp_path, force):
    methods = ("nearest", "bilinear")
    whole = [enlarge(photo, tmp_path / f"{method}.png", method).read_bytes() for method in methods]
    for number in range(max(2, KILLS // 3)):
        target, start = tmp_path / str(number) / "sr.png", context().Barrier(2)
        lives = [Life(enlarge_beside, start, photo, target, method, force) for method in methods]
        codes = [life.end() for life in lives]
        assert target.read_bytes() in whole
        assert [file.name for file in target.parent.iterdir()] == ["sr.png"]
        assert codes in ([0, 0], [0, 2], [2, 0])[: 1 if force else 3]
        said = [life.said[-1] for life, code in zip(lives, codes, strict=True) if code]
        assert all("sr.png exists already; choose another name" in words for words in said)
