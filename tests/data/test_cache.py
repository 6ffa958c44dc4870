"""Test srlab.data.cache: photos are decoded once, and the cache matches the current files."""

import errno
import gc
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.data import cache, datasets
from srlab.data.images import read_pixels, write_image
from srlab.data.patch_sampler import PatchSampler
from srlab.errors import SrlabError
from tests import windows_rule

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files have no change time there")


@pytest.fixture
def folder(tmp_path):
    """Create photos of different sizes, one of them gray, and more than are decoded ahead."""
    path = tmp_path / "Photos [1]"
    for index in range(cache.AHEAD + 3):
        pixels = torch.rand(3, 20 + index, 24 + 2 * index, generator=torch.Generator().manual_seed(index))
        write_image(pixels, path / f"{index:02}.png")
    Image.new("L", (24, 32), 77).save(path / "gray.png")
    return path


@pytest.fixture
def load(monkeypatch):
    """Load a folder through the cache; return the set, and the number of decoded photos."""

    def load(folder, read=read_pixels):
        decoded = []
        with monkeypatch.context() as patch:
            patch.setattr(datasets, "CACHE_FROM", 2)
            patch.setattr(cache, "read_pixels", lambda path, lost: (decoded.append(path), read(path, lost))[1])
            return datasets.load_images(folder), len(decoded)

    return load


def files_in(home):
    return list((home / "cache").glob("*/*"))


def assert_same(one, other):
    assert (one.describe(), one.names, one.gray) == (other.describe(), other.names, other.gray)
    assert all(map(torch.equal, one.hr, other.hr))


def test_cached_set_equals_memory_set(folder, home, load, capsys):
    memory = datasets.load_images(folder)
    assert not (home / "cache").exists()  # few photos are not cached
    mapped, decoded = load(folder)
    assert (decoded, mapped.gray) == (len(memory), {"gray"})
    assert_same(mapped, memory)
    for pair in ((memory, mapped), (memory.subset("05", "01"), mapped.subset("05", "01"))):
        first, second = (next(PatchSampler(images, patch=16, batch=9)) for images in pair)
        assert all(map(torch.equal, first, second))
    capsys.readouterr()
    again, decoded = load(folder)
    assert (decoded, capsys.readouterr().out) == (0, "")
    assert_same(again, memory)


def test_pixels_are_memory_mapped(folder, home, load):
    large = load(folder)[0].at_least(22)
    sampler = PatchSampler(large, patch=16, batch=5)
    assert sampler.describe()["images"] != load(folder)[0].describe()
    (pixels,) = (file for file in files_in(home) if file.suffix == ".rgb")
    with pixels.open("r+b") as file:
        file.write(bytes(pixels.stat().st_size))
    assert next(sampler)[1].max() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in another way")
def test_set_larger_than_memory_is_mapped(folder, home, load, recwarn):
    """Enlarge the cache to more than Linux lends to a mapping, as a sparse file."""
    load(folder)
    (index,) = (home / "cache").rglob("*.json")
    content = json.loads(index.read_text(encoding="utf-8"))
    has = {
        line.split(":")[0]: int(line.split()[1])
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    }
    side = 1 + int((1.1 * 1024 * (has["MemTotal"] + has["SwapTotal"]) / 3) ** 0.5)
    content["sizes"][-1] = [side, side]
    count = sum(height * width for height, width in content["sizes"])
    try:
        os.truncate(index.with_suffix(".rgb"), 3 * count)
    except OSError:
        pytest.skip("no sparse file of this size on this disk")
    index.write_text(json.dumps(content), encoding="utf-8")
    images, decoded = load(folder)
    assert (decoded, len(images.pixels)) == (0, count)
    assert next(PatchSampler(images.subset("00", "01"), patch=16, batch=2))[1].max() > 0
    assert not [str(warning.message) for warning in recwarn if "writable" in str(warning.message)]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_mapping_above_a_limit_is_one_sentence(folder, home, load, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    load(folder)
    monkeypatch.setattr(np, "memmap", fail)
    with pytest.raises(SrlabError, match=r"pixels in .*\.rgb cannot be mapped \(Cannot allocate memory\)\. Raise"):
        load(folder)


def turn(path):
    """Replace a photo with another one of the same length and time."""
    status, other = path.stat(), path.with_name(".other.png")
    Image.open(path).rotate(180).save(other, compress_level=0)
    path.write_bytes(other.read_bytes())
    other.unlink()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def leave_killed_process(photo, files):
    photo.touch()
    files[0].with_name(".srlab-0.part").write_text("half", encoding="utf-8")


CHANGES = {
    "same size and time": lambda photo, files: turn(photo),
    "deleted": lambda photo, files: photo.unlink(),
    "renamed": lambda photo, files: photo.rename(photo.with_name("two.png")),
    "cut cache": lambda photo, files: os.truncate(next(file for file in files if file.suffix == ".rgb"), 100),
    "other index": lambda photo, files: next(file for file in files if file.suffix == ".json").write_text(
        '["mine"]', encoding="utf-8"
    ),
    "killed process": leave_killed_process,
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_photos_rebuild_cache(folder, home, load, change):
    turn(folder / "02.png")  # uncompressed from here on
    before, _ = load(folder)
    third = before.hr[2].clone()
    CHANGES[change](folder / "02.png", files_in(home))
    mapped, decoded = load(folder)
    assert decoded == len(mapped)
    assert_same(mapped, datasets.load_images(folder))
    assert change == "cut cache" or torch.equal(before.hr[2], third)  # a mapped cache stays readable
    assert len(files_in(home)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="simulates Windows on Linux")
def test_an_index_stays_with_pixels_that_windows_does_not_delete(folder, home, load, monkeypatch):
    windows_rule.follow(monkeypatch.setattr)
    before, _ = load(folder)
    turn(folder / "02.png")
    after, decoded = load(folder)
    assert decoded == len(after)
    assert sorted(file.suffix for file in files_in(home)) == [".json", ".json", ".rgb", ".rgb"]
    del before
    gc.collect()
    turn(folder / "03.png")
    load(folder)
    assert len(files_in(home)) == 4  # the first pair is gone


def test_folders_with_equal_names(folder, home, load, tmp_path):
    twin = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, twin)
    assert [load(path)[1] > 0 for path in (folder, twin, folder)] == [True, True, False]
    assert len(files_in(home)) == 4


def test_mapped_pairs_equal_pairs_in_memory(folder, home, load, tmp_path):
    pairs = tmp_path / "pairs"
    shutil.copytree(folder, pairs / "HR")
    (pairs / "LRx4").mkdir()
    for file in folder.iterdir():
        photo = Image.open(file)
        photo.resize((photo.width // 4, photo.height // 4)).save(pairs / "LRx4" / file.name)
    mapped, memory = load(pairs)[0], datasets.load_images(pairs)
    assert_same(mapped, memory)
    assert len(files_in(home)) == 4
    first, second = (next(PatchSampler(images, patch=16, batch=9)) for images in (mapped, memory))
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("cached", [True, False])
def test_all_unreadable_photos_are_named_at_once(folder, home, load, cached):
    read = load if cached else datasets.load_images
    (folder / "04.png").write_bytes((folder / "04.png").read_bytes()[:99])
    with pytest.raises(SrlabError, match=r"^The image .*04\.png cannot be read"):
        read(folder)
    (folder / "17.png").write_text("<html>", encoding="utf-8")
    words = r"^2 of 20 photos in .* cannot be read: 04\.png, 17\.png\. Replace or remove them\. .*04\.png cannot"
    with pytest.raises(SrlabError, match=words):
        read(folder)
    assert files_in(home) == []


def test_photos_changed_while_caching(folder, home, load):
    def read_and_change(path, lost):
        pixels = read_pixels(path, lost)
        if path.name == "04.png":
            write_image(255 - pixels.permute(2, 0, 1), path)
        return pixels

    with pytest.raises(SrlabError, match=r"Photos \[1\] changed while"):
        load(folder, read_and_change)
    assert files_in(home) == []


def test_cache_that_disappears_while_it_is_made_is_one_sentence(folder, home, load, monkeypatch):
    monkeypatch.setattr(cache, "_open", lambda *_: None)  # as when someone empties the folder of runs
    with pytest.raises(SrlabError, match=r"was deleted or changed while it was made\. Try again"):
        load(folder)
