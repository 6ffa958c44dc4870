"""Preparing photos"""

import errno
import os
import random
import shutil
import signal
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.preparation import prepare

from .fault import KILLS, fault

SMALL = {"size": 32, "step": 16, "validation": 0.2, "workers": 2, "progress": False}
PHOTOS = 10


@pytest.fixture
def source(tmp_path):
    for number in range(PHOTOS):
        photo(tmp_path / f"photos/{number}.png", number)
    return tmp_path / "photos"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "prepared"


@pytest.fixture
def undisturbed(source, tmp_path):
    """What a run makes that nothing happens to."""
    prepare(source, tmp_path / "undisturbed", **SMALL)
    return tree(tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def context():
    """Processes that start at once: their parent has imported what they need."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["pytest", "torch", "srlab.data.preparation"])
    return context


def photo(path, seed, height=48, width=80):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)


def tree(folder):
    """Path -> bytes of all files but those of the bookkeeping; parts of files are among them."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def started(context, source, output):
    process = context.Process(target=prepare, args=(source, output), kwargs=SMALL | {"workers": 1})
    process.start()
    return process


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.004)


@fault("kill -9 at random moments", "whole files only; the next run's files are those of an undisturbed one")
def test_kill(context, source, output, undisturbed, record_property):
    draw = random.Random(0)
    middle = 0
    process = started(context, source, output)
    until((output / "prepared.jsonl").exists)
    begun = time.monotonic()
    process.join()
    shutil.rmtree(output)
    length = time.monotonic() - begun
    for number in range(KILLS):
        if number % 3 == 0:  # in between the process dies again and again on the same folder
            shutil.rmtree(output, ignore_errors=True)
        process = started(context, source, output)
        until(lambda: (output / "prepared.jsonl").exists() or not process.is_alive())  # noqa: B023 - called at once
        time.sleep(draw.uniform(0, length))
        process.kill()
        process.join()
        middle += process.exitcode == -signal.SIGKILL
        files = {name: content for name, content in tree(output).items() if not name.endswith(".part")}
        assert files.items() <= undisturbed.items()
        if number % 3 == 2 or number == KILLS - 1:
            summary = prepare(source, output, **SMALL)
            assert not summary.failed
            assert tree(output) == undisturbed
    assert middle
    record_property("times", KILLS)


@fault("the disk gets full in the middle", "one sentence; the next run makes the rest")
@pytest.mark.parametrize("writes", [1, 9, 30])
def test_disk_full(source, output, undisturbed, monkeypatch, writes):
    left = [writes]
    real = Path.open

    def open_until_full(path, mode="r", *arguments, **options):
        if set("wx") & set(mode):
            left[0] -= 1
            if left[0] < 0:
                real(path, mode).close()  # the file is there, but empty
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, mode, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_until_full)
        with pytest.raises(SrlabError, match=r"Could not write .* \(No space left on device\); free some space"):
            prepare(source, output, **SMALL)
    assert all(undisturbed[name] == content for name, content in tree(output).items())
    assert not prepare(source, output, **SMALL).failed
    assert tree(output) == undisturbed


@fault("the disk gets full while the manifest is written", "one sentence; the next run makes the rest")
@pytest.mark.parametrize(("lines", "taken"), [(2, 0), (2, 20), (PHOTOS + 1, 20)])
def test_disk_full_manifest(source, output, undisturbed, monkeypatch, lines, taken):
    real = Path.open

    class Full:
        """A file on a disk with place for a few lines and a part of the next."""

        def __init__(self, file):
            self.file, self.lines, self.cut = file, lines, False

        def write(self, content):
            if self.lines:
                self.lines -= 1
                return self.file.write(content)
            if self.cut or not taken:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.cut = True
            return self.file.write(content[:taken])

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    def open_full(path, mode="r", *arguments, **options):
        file = real(path, mode, *arguments, **options)
        return Full(file) if path.name == "prepared.jsonl" and mode == "ab" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(SrlabError, match=r"Could not write into .* \(No space left on device\); free some space"):
            prepare(source, output, **SMALL)
    assert not prepare(source, output, **SMALL).failed
    assert tree(output) == undisturbed


@fault("the manifest is cut off at any place", "it is repaired; the next run's files are those of an undisturbed one")
def test_cut_manifest(source, output, undisturbed, record_property):
    prepare(source, output, **SMALL)
    whole = (output / "prepared.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    before = len(b"".join(line for line in lines if b'"files"' not in line))  # all photos are begun first
    cuts = [before + 5, *random.Random(0).sample(range(before, len(whole)), 6), len(whole) - 1]
    for cut in cuts:
        (output / "prepared.jsonl").write_bytes(whole[:cut])
        assert not prepare(source, output, **SMALL).failed
        assert tree(output) == undisturbed
        assert prepare(source, output, **SMALL).unchanged == PHOTOS
    early = [1, len(lines[0]) - 1, len(lines[0]), len(lines[0]) + 9]  # before any file was there
    for cut in early:
        shutil.rmtree(output)
        output.mkdir()
        (output / "prepared.jsonl").write_bytes(whole[:cut])
        assert prepare(source, output, **SMALL).made == PHOTOS
        assert prepare(source, output, **SMALL).unchanged == PHOTOS
        assert tree(output) == undisturbed
    record_property("times", len(cuts + early))


@fault("a line in the middle of the manifest is damaged", "one sentence; no file is touched")
def test_damaged_manifest(source, output):
    prepare(source, output, **SMALL)
    manifest = output / "prepared.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b'{"photo": "3.png"', b'{"photo\0\0\0\0 3.png"'))
    before = tree(output), manifest.read_bytes()
    with pytest.raises(SrlabError, match=r"prepared.jsonl is damaged or was not written by srlab"):
        prepare(source, output, **SMALL)
    assert (tree(output), manifest.read_bytes()) == before


@fault("some photos are damaged", "they are named at the end; the others are made, and these once they are repaired")
def test_damaged_photo(source, output, undisturbed):
    good = {name: (source / name).read_bytes() for name in ("3.png", "5.png", "7.png")}
    (source / "3.png").write_bytes(good["3.png"][:3000])
    (source / "5.png").write_bytes(b"")
    (source / "7.png").unlink()
    (source / "7.png").symlink_to("nowhere.png")
    summary = prepare(source, output, **SMALL)
    assert sorted(summary.failed) == sorted(good)
    assert "is damaged or cut short" in summary.failed["3.png"]
    assert "is not an image" in summary.failed["5.png"]
    assert "a link to nowhere" in summary.failed["7.png"]
    others = {name: content for name, content in undisturbed.items() if Path(name).name[0] not in "357"}
    assert tree(output) == others
    (source / "7.png").unlink()
    for name, content in good.items():
        (source / name).write_bytes(content)
    assert prepare(source, output, **SMALL).made == 3
    assert tree(output) == undisturbed


@fault("a photo changes between two runs, and is damaged for a while", "its crops are those of the last good one")
def test_changed_photo(source, output, tmp_path):
    prepare(source, output, **SMALL)
    before = tree(output)
    (source / "3.png").write_bytes((source / "3.png").read_bytes()[:3000])
    assert list(prepare(source, output, **SMALL).failed) == ["3.png"]
    assert tree(output) == before
    photo(source / "3.png", 99, 40, 40)
    assert prepare(source, output, **SMALL).made == 1
    prepare(source, tmp_path / "undisturbed", **SMALL)
    assert tree(output) == tree(tmp_path / "undisturbed")


@fault("kill -9, and a photo changes before the next run", "no crop of the photo of before is left")
def test_changed_after_a_kill(source, output, tmp_path):
    prepare(source, output, **SMALL)
    manifest = (output / "prepared.jsonl").read_bytes().splitlines(keepends=True)
    (output / "prepared.jsonl").write_bytes(b"".join(line for line in manifest if b'"files"' not in line))
    photo(source / "3.png", 99, 40, 40)
    assert prepare(source, output, **SMALL).made == PHOTOS
    prepare(source, tmp_path / "undisturbed", **SMALL)
    assert tree(output) == tree(tmp_path / "undisturbed")


@fault("links among the photos that lead in a loop, or into the output", "each photo is taken once")
def test_link_loop(source, output, undisturbed):
    prepare(source, output, **SMALL)
    (source / "a").mkdir()
    (source / "a/back").symlink_to(source)
    (source / "above").symlink_to(source.parent)
    (source / "made").symlink_to(output)
    (source / "crops").symlink_to(output / "train/HR")
    (source / "itself").symlink_to("itself")
    (source / "itself.png").symlink_to("itself.png")
    summary = prepare(source, output, **SMALL)
    assert (summary.photos, summary.unchanged, list(summary.failed)) == (PHOTOS + 1, PHOTOS, ["itself.png"])
    assert tree(output) == undisturbed


@fault("two processes prepare into one folder", "the second is refused, the first ends well")
def test_two_processes(context, source, output, undisturbed):
    process = started(context, source, output)
    try:
        until((output / "prepared.jsonl").exists)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(SrlabError, match="is being filled by another process; wait for it to end"):
            prepare(source, output, **SMALL)
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.join()
    assert process.exitcode == 0
    assert tree(output) == undisturbed
    assert prepare(source, output, **SMALL).unchanged == PHOTOS


@fault("the output may not be written", "one sentence; nothing is made")
def test_read_only(source):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        photos, output = Path(folder) / "photos", Path(folder) / "prepared"
        shutil.copytree(source, photos)
        output.mkdir()
        for path, mode in ((Path(folder), 0o755), (photos, 0o755), (output, 0o555)):
            path.chmod(mode)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)  # root may write anywhere
        try:
            with pytest.raises(SrlabError, match=r"Cannot write into .*prepared \(Permission denied\); choose"):
                prepare(photos, output, **SMALL)
            with pytest.raises(SrlabError, match=r"Cannot write into .*below \(Permission denied\); choose"):
                prepare(photos, output / "below", **SMALL)
        finally:
            os.seteuid(before)
        assert not list(output.iterdir())
