"""Upscaling a photo is killed: no file, or a whole one."""

import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file
from tests.kills import kill_until_done

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked and killed")


@pytest.fixture
def photo(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "lr.png")
    return tmp_path / "lr.png"


def enlarge(source, target, force=False):
    return upscale_file(source, target, partial(upsample, scale=2), 2, force=force, progress=False)


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
