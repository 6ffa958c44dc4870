"""srlab.data.cache: photos are decoded once, and what comes from the cache is what the files hold now."""

import os
import shutil
import sys

import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data import cache, datasets
from srlab.data.images import read_image, read_pixels, to_uint8, write_image
from srlab.data.patches import PatchSampler

unix = pytest.mark.skipif(sys.platform == "win32", reason="the process is forked, which Windows cannot")


def photo(height, width, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), generator=random, dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path):
    """Eight photos of different sizes, one of them grey."""
    path = tmp_path / "Photos [1]"
    for index in range(7):
        write_image(photo(20 + index, 24 + 2 * index, index), path / f"{index}.png")
    Image.new("L", (24, 32), 77).save(path / "grey.png")
    return path


@pytest.fixture
def from_cache(monkeypatch):
    """Read a folder as one of many photos."""

    def read(folder):
        with monkeypatch.context() as few:
            few.setattr(datasets, "CACHE_FROM", 2)
            return datasets.folder(folder)

    return read


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, one entry each time."""
    seen = []

    def read(path):
        seen.append(path.name)
        return read_pixels(path)

    monkeypatch.setattr(cache, "read_pixels", read)
    return seen


def kept(home, suffix=""):
    """The files of the cache but for locks."""
    return [path for path in (home / "cache").iterdir() if path.name.endswith(suffix) and path.suffix != ".lock"]


def test_a_set_from_the_cache_is_the_set_from_memory(folder, from_cache):
    memory, mapped = datasets.folder(folder), from_cache(folder)
    assert (mapped.name, mapped.names, mapped.grey) == (memory.name, memory.names, memory.grey)
    assert mapped.grey == {"grey"}
    assert all(torch.equal(one, other) for one, other in zip(mapped.hr, memory.hr, strict=True))
    assert mapped.fingerprint() == memory.fingerprint()
    assert mapped["3"].is_contiguous()
    for pair in ((memory, mapped), (memory.subset("5", "1"), mapped.subset("5", "1"))):
        first, second = (PatchSampler(images, patch=16, batch=5, seed=3) for images in pair)
        assert all(torch.equal(a, b) for _ in range(3) for a, b in zip(next(first), next(second), strict=True))


@unix
def test_what_is_left_of_a_cached_set_without_its_small_photos_stays_on_the_disk(folder, home, from_cache):
    mapped = from_cache(folder)
    large = mapped.at_least(22)
    assert large.names == ["2", "3", "4", "5", "6", "grey"]
    sampler = PatchSampler(large, patch=16, batch=5)
    assert sampler.describe()["images"] != PatchSampler(mapped, patch=16, batch=5).describe()["images"]
    with one_of(home, ".rgb").open("r+b") as file:
        file.write(bytes(3 * len(mapped.pixels)))
    assert next(sampler)[1].max() == 0, "pixels were read before a patch needed them"


def test_a_second_use_decodes_nothing_and_reads_no_pixels(folder, from_cache, monkeypatch, decoded, capsys):
    from_cache(folder)
    assert sorted(decoded) == sorted(path.name for path in folder.iterdir())
    decoded.clear()
    capsys.readouterr()
    monkeypatch.setattr(cache, "fingerprint", None)  # it would need the pixels
    assert from_cache(folder).fingerprint()
    assert not decoded
    assert capsys.readouterr().out == ""


def other_pixels(path):
    """Replace a photo by another one of the same length and time."""
    status, other = path.stat(), path.with_name(".other.png")
    turned = Image.open(path).rotate(180)
    turned.save(other, compress_level=0)
    path.write_bytes(other.read_bytes())
    other.unlink()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def one_of(home, suffix):
    (path,) = kept(home, suffix)
    return path


CHANGES = {
    "same size and time": lambda folder, home: other_pixels(folder / "2.png"),
    "gone": lambda folder, home: (folder / "2.png").unlink(),
    "renamed": lambda folder, home: (folder / "2.png").rename(folder / "two.png"),
    "new": lambda folder, home: write_image(photo(20, 20, 50), folder / "new.png"),
    "cut cache": lambda folder, home: os.truncate(one_of(home, ".rgb"), 100),
    "foreign index": lambda folder, home: one_of(home, ".json").write_text('["mine"]'),
}


@unix  # on Windows a file has no time of its last change, and what is mapped is not replaced
@pytest.mark.parametrize("change", CHANGES)
def test_it_is_made_anew_when_a_photo_or_the_cache_is_not_as_it_was(folder, home, from_cache, decoded, change):
    other_pixels(folder / "2.png")  # uncompressed from now on
    before = from_cache(folder)
    third = before.hr[2].clone()
    CHANGES[change](folder, home)
    decoded.clear()
    memory, mapped = datasets.folder(folder), from_cache(folder)
    assert len(decoded) == len(memory)
    assert mapped.names == memory.names
    assert mapped.fingerprint() == memory.fingerprint()
    assert (mapped.fingerprint() == before.fingerprint()) == (change in list(CHANGES)[-2:])
    assert all(torch.equal(one, other) for one, other in zip(mapped.hr, memory.hr, strict=True))
    assert change == "cut cache" or torch.equal(before.hr[2], third)  # what is in use stays,
    assert len(kept(home)) == 2  # and on the disk only what is new


def test_two_folders_of_one_name_have_two_caches_and_few_photos_none(folder, home, from_cache, tmp_path):
    datasets.folder(folder)
    assert not (home / "cache").exists()
    twin = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, twin)
    write_image(photo(9, 9, 70), twin / "0.png")
    one, other = from_cache(folder), from_cache(twin)
    assert one.fingerprint() == from_cache(folder).fingerprint() != other.fingerprint()
    assert len(kept(home)) == 4


def test_photos_that_change_meanwhile_are_said_to_and_leave_nothing_half_made(folder, home, from_cache, monkeypatch):
    def read_and_change(path):
        pixels = read_pixels(path)
        if path.name == "4.png":
            write_image(255 - pixels.permute(2, 0, 1), path)
        return pixels

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(cache, "read_pixels", read_and_change)
        with pytest.raises(SrlabError, match=r"Photos in .*Photos \[1\] changed while they were decoded"):
            from_cache(folder)
    assert kept(home) == []
    assert torch.equal(from_cache(folder).hr[4], to_uint8(read_image(folder / "4.png")))
