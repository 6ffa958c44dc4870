"""srlab.data.cache: photos are decoded once, and what comes from the cache is what the files hold now."""

import os
import shutil
import sys

import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data import cache, datasets
from srlab.data.images import read_pixels, write_image
from srlab.data.patches import PatchSampler

unix = pytest.mark.skipif(sys.platform == "win32", reason="a file has no time of its last change there")


def photo(height, width, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), generator=random, dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path):
    """Photos of different sizes, one of them grey; more than are decoded ahead."""
    path = tmp_path / "Photos [1]"
    for index in range(cache.AHEAD + 3):
        write_image(photo(20 + index, 24 + 2 * index, index), path / f"{index:02}.png")
    Image.new("L", (24, 32), 77).save(path / "grey.png")
    return path


@pytest.fixture
def decoded(monkeypatch):
    """Reads a folder as one of many photos; the files that were decoded for it."""
    seen = []

    def read(path):
        seen.append(path.name)
        return read_pixels(path)

    def from_cache(folder):
        seen.clear()
        with monkeypatch.context() as few:
            few.setattr(datasets, "CACHE_FROM", 2)
            few.setattr(cache, "read_pixels", read)
            return datasets.folder(folder), sorted(seen)

    return from_cache


def kept(home, suffix=""):
    """The files of the cache but for locks."""
    return [path for path in (home / "cache").iterdir() if path.name.endswith(suffix) and path.suffix != ".lock"]


def assert_same(one, other):
    assert (one.name, one.names, one.grey, one.fingerprint()) == (
        other.name,
        other.names,
        other.grey,
        other.fingerprint(),
    )
    assert all(torch.equal(a, b) for a, b in zip(one.hr, other.hr, strict=True))


def test_a_set_from_the_cache_is_the_set_from_memory_and_a_second_use_decodes_nothing(folder, home, decoded, capsys):
    memory = datasets.folder(folder)
    assert not (home / "cache").exists()  # of few photos there is none
    mapped, files = decoded(folder)
    assert files == sorted(path.name for path in folder.iterdir())
    assert mapped.grey == {"grey"}
    assert_same(mapped, memory)
    for pair in ((memory, mapped), (memory.subset("05", "01"), mapped.subset("05", "01"))):
        first, second = (PatchSampler(images, patch=16, batch=5, seed=3) for images in pair)
        assert all(torch.equal(a, b) for _ in range(3) for a, b in zip(next(first), next(second), strict=True))
    capsys.readouterr()
    again, files = decoded(folder)
    assert (files, capsys.readouterr().out) == ([], "")
    assert_same(again, memory)


@unix
def test_no_pixels_are_read_before_a_patch_needs_them(folder, home, decoded):
    large = decoded(folder)[0].at_least(22)
    assert large.names[0] == "02"
    sampler = PatchSampler(large, patch=16, batch=5)
    assert sampler.describe()["images"] != decoded(folder)[0].describe()
    (file,) = kept(home, ".rgb")
    with file.open("r+b") as pixels:
        pixels.write(bytes(file.stat().st_size))
    assert next(sampler)[1].max() == 0


def other_pixels(path):
    """Replace a photo by another one of the same length and time."""
    status, other = path.stat(), path.with_name(".other.png")
    Image.open(path).rotate(180).save(other, compress_level=0)
    path.write_bytes(other.read_bytes())
    other.unlink()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES = {
    "same size and time": lambda photo, cached: other_pixels(photo),
    "gone": lambda photo, cached: photo.unlink(),
    "renamed": lambda photo, cached: photo.rename(photo.with_name("two.png")),
    "cut cache": lambda photo, cached: os.truncate(next(file for file in cached if file.suffix == ".rgb"), 100),
    "foreign index": lambda photo, cached: next(f for f in cached if f.suffix == ".json").write_text('["mine"]'),
}


@unix
@pytest.mark.parametrize("change", CHANGES)
def test_it_is_made_anew_when_a_photo_or_the_cache_is_not_as_it_was(folder, home, decoded, change):
    other_pixels(folder / "02.png")  # uncompressed from now on
    before, _ = decoded(folder)
    third = before.hr[2].clone()
    CHANGES[change](folder / "02.png", kept(home))
    mapped, files = decoded(folder)
    assert len(files) == len(mapped)
    assert_same(mapped, datasets.folder(folder))
    assert change == "cut cache" or torch.equal(before.hr[2], third)  # what is in use stays,
    assert len(kept(home)) == 2  # and on the disk only what is new


def test_two_folders_of_one_name_have_two_caches(folder, home, decoded, tmp_path):
    twin = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, twin)
    decoded(folder)
    assert decoded(twin)[1]
    assert decoded(folder)[1] == []
    assert len(kept(home)) == 4


def test_photos_that_change_meanwhile_are_said_to_and_leave_nothing_half_made(folder, home, decoded, monkeypatch):
    def read_and_change(path):
        pixels = read_pixels(path)
        if path.name == "04.png":
            write_image(255 - pixels.permute(2, 0, 1), path)
        return pixels

    monkeypatch.setattr(datasets, "CACHE_FROM", 2)
    monkeypatch.setattr(cache, "read_pixels", read_and_change)
    with pytest.raises(SrlabError, match=r"Photos in .*Photos \[1\] changed while they were decoded"):
        datasets.folder(folder)
    assert kept(home) == []
