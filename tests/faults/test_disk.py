"""The disk is full, or may not be written."""

import os
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.cli.main import main
from srlab.base.files import write_safetensors
from srlab.data.images import write_image
from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file
from srlab.training import runs

from .fault import fault
from .full_disk import Disk, fill_up
from .little_run import little_run, require_whole, undisturbed, what_is_left

forks = pytest.mark.skipif(sys.platform == "win32", reason="the process is forked, which Windows cannot")
TILES = {"tile": 8, "overlap": 4, "progress": False}


def upscale_to(target, source, shade=1.0, **settings):
    return upscale_file(source, target, lambda lr: upsample(lr, 2) * shade, 2, **TILES, **settings)


@pytest.fixture
def photo(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "lr.png")
    return tmp_path / "lr.png"


# --- Full at any one write ---


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of TensorBoard's own thread
@fault("the disk is full at any one write of a training run", "one sentence, states are whole; rerun: same bytes")
def test_a_run_on_a_full_disk_stops_and_goes_on_when_there_is_room(monkeypatch, record_property):
    monkeypatch.setattr(runs, "environment", dict)  # it asks git, which takes long
    monkeypatch.setattr(os, "fsync", lambda number: None)
    expected = undisturbed(iters=2)

    def after(room, passed):
        require_whole(f"run{room}")
        if not passed:
            little_run(f"run{room}").fit(2)
        assert what_is_left(f"run{room}") == expected

    times = fill_up(monkeypatch, lambda room: little_run(f"run{room}").fit(2), after)
    assert times > 50  # a run does write: three states, weights, manifests, the log, TensorBoard's events
    record_property("times", times)


WRITERS = {
    "weights": lambda file, photo, value: write_safetensors(file, {"x": torch.ones(9) * value}, {}),
    "an image": lambda file, photo, value: write_image(torch.full((3, 8, 8), value / 4), file),
    "an upscaled photo": lambda file, photo, value: upscale_to(file, photo, value / 4, force=True),
}


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(
            what, marks=fault(f"the disk is full at any one write of {what}", "the older file, or the new one")
        )
        for what in WRITERS
    ],
)
def test_a_file_on_a_full_disk_is_the_older_one_or_the_new_one(monkeypatch, tmp_path, photo, record_property, what):
    file, times = tmp_path / "new" / "x.png", 0
    write = partial(WRITERS[what], file, photo)
    for older in (False, True):
        if older:
            write(1)
        before = file.read_bytes() if older else None

        def after(room, passed, before=before):
            now = file.read_bytes() if file.exists() else None
            assert (now != before) == passed
            if file.parent.exists():
                assert [path.name for path in file.parent.iterdir()] == [file.name] * (now is not None)

        times += fill_up(monkeypatch, lambda room: write(2), after)
    record_property("times", times)


@fault("the disk is full at any one write of the table of srlab evaluate", "one sentence, the older table is whole")
def test_a_table_on_a_full_disk_is_the_older_one(monkeypatch, tmp_path, photo, capsys, record_property):
    table, room = tmp_path / "table.csv", 0
    table.write_text("older")
    (tmp_path / "hr").mkdir()
    photo.rename(tmp_path / "hr" / "a.png")
    command = ["evaluate", "--hr", str(tmp_path / "hr"), "--method", "bicubic", "--csv", str(table), "--force"]
    while table.read_text() == "older":
        with monkeypatch.context() as full:
            disk = Disk(full, room)
            code = main(command)
        said = capsys.readouterr().err
        assert (code == 2) == (disk.room < 0) == (f"srlab: Could not write {table} (No space left on device)" in said)
        room += 1
    assert table.read_text().startswith("image,psnr")
    record_property("times", room - 1)
