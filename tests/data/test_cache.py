"""srlab.data.cache: photos are decoded once, and what comes from the cache is what the files hold now."""

import json
import os
from types import SimpleNamespace

import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.data import datasets
from srlab.data.cache import cached
from srlab.data.images import read_levels, write_image
from srlab.data.patches import PatchSampler


def photo(height, width, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), generator=random, dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path):
    """Eight photos of different sizes, one of them grey."""
    path = tmp_path / "Photos [1]"
    for index in range(7):
        write_image(photo(20 + index, 24 + 2 * index, index), path / f"{index}.png")
    from PIL import Image

    Image.new("L", (24, 32), 77).save(path / "grey.png")
    return path


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, one entry each time."""
    seen = []

    def read(path, keep_grey=False):
        seen.append(path.name)
        return read_levels(path, keep_grey)

    monkeypatch.setattr("srlab.data.cache.read_levels", read)
    return seen


def from_memory(folder):
    return datasets.folder(folder)


def from_cache(folder, monkeypatch):
    with monkeypatch.context() as few:
        few.setattr(datasets, "CACHE_FROM", 2)
        return datasets.folder(folder)


def test_a_set_from_the_cache_is_the_set_from_memory(folder, monkeypatch):
    memory, mapped = from_memory(folder), from_cache(folder, monkeypatch)
    assert (mapped.name, mapped.names, mapped.grey) == (memory.name, memory.names, memory.grey)
    assert mapped.grey == {"grey"}
    assert all(torch.equal(one, other) for one, other in zip(mapped.hr, memory.hr, strict=True))
    assert mapped.fingerprint() == memory.fingerprint()
    assert mapped["3"].is_contiguous()
    assert torch.equal(mapped["3"], memory["3"])


@pytest.mark.parametrize("augment", ["all", "flip", "none"])
def test_the_sampler_cuts_the_same_patches_from_it(folder, monkeypatch, augment):
    settings = {"scale": 4, "patch": 16, "batch": 5, "seed": 3, "augment": augment}
    memory, mapped = (PatchSampler(s, **settings) for s in (from_memory(folder), from_cache(folder, monkeypatch)))
    for _ in range(5):
        for one, other in zip(next(memory), next(mapped), strict=True):
            assert torch.equal(one, other)
    assert memory.describe() == mapped.describe()


def test_a_second_use_decodes_nothing_and_reads_no_pixels(folder, monkeypatch, decoded, capsys):
    from_cache(folder, monkeypatch)
    assert sorted(decoded) == sorted(path.name for path in folder.iterdir())
    decoded.clear()
    capsys.readouterr()
    monkeypatch.setattr("srlab.data.cache.fingerprint", None)  # it would need the pixels
    assert from_cache(folder, monkeypatch).fingerprint()
    assert not decoded
    assert capsys.readouterr().out == ""


def test_a_subset_of_it_is_still_right(folder, monkeypatch):
    memory, mapped = from_memory(folder), from_cache(folder, monkeypatch)
    assert mapped.subset("5", "1").fingerprint() == memory.subset("5", "1").fingerprint()
    one, other = (PatchSampler(s.subset("5", "1"), 4, 16, 3) for s in (memory, mapped))
    assert torch.equal(next(one)[1], next(other)[1])


def change(path):
    write_image(photo(*read_levels(path).shape[1:], seed=99), path)


def touch_back(path):
    """Other pixels in a file of the same length, with a time before the old one: only the time betrays it."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    path.write_bytes(bytes(content))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 10**12))


@pytest.mark.parametrize(
    "happens",
    [
        lambda folder: change(folder / "2.png"),
        lambda folder: touch_back(folder / "2.png"),
        lambda folder: (folder / "2.png").unlink(),
        lambda folder: (folder / "2.png").rename(folder / "two.png"),
        lambda folder: write_image(photo(20, 20, 50), folder / "new.png"),
    ],
    ids=["changed", "older time", "gone", "renamed", "new"],
)
def test_it_is_made_anew_when_a_photo_is_not_as_it_was(folder, monkeypatch, decoded, happens):
    from_cache(folder, monkeypatch)
    happens(folder)
    decoded.clear()
    memory, mapped = from_memory(folder), from_cache(folder, monkeypatch)
    assert len(decoded) == len(memory)
    assert mapped.names == memory.names
    assert mapped.fingerprint() == memory.fingerprint()


def test_pixels_that_are_in_use_stay_when_it_is_made_anew_and_only_the_new_ones_stay_on_disk(folder, home, monkeypatch):
    old = from_cache(folder, monkeypatch)
    before = old.hr[2].clone()
    change(folder / "2.png")
    new = from_cache(folder, monkeypatch)
    assert torch.equal(old.hr[2], before)
    assert not torch.equal(new.hr[2], before)
    assert len(list((home / "cache").glob("*.rgb"))) == 1


@pytest.mark.parametrize("spoil", ["cut", "empty", "gone", "touched", "no index", "foreign index", "other format"])
def test_a_spoilt_cache_is_made_anew(folder, home, monkeypatch, decoded, spoil):
    good = from_cache(folder, monkeypatch).fingerprint()
    (index,), (pixels,) = (list((home / "cache").glob(f"*.{kind}")) for kind in ("json", "rgb"))
    content = json.loads(index.read_text())
    {
        "cut": lambda: pixels.write_bytes(pixels.read_bytes()[:-1]),
        "empty": lambda: pixels.write_bytes(b""),
        "gone": pixels.unlink,
        "touched": lambda: pixels.write_bytes(bytes(pixels.stat().st_size)),
        "no index": index.unlink,
        "foreign index": lambda: index.write_text('["mine"]'),
        "other format": lambda: index.write_text(json.dumps(content | {"format": 0})),
    }[spoil]()
    decoded.clear()
    mapped = from_cache(folder, monkeypatch)
    assert len(decoded) == 8
    assert mapped.fingerprint() == good
    assert torch.equal(mapped.hr[3], read_levels(folder / "3.png"))


def test_an_index_cannot_name_a_file_elsewhere(folder, home, monkeypatch, tmp_path):
    from_cache(folder, monkeypatch)
    (index,), (pixels,) = (list((home / "cache").glob(f"*.{kind}")) for kind in ("json", "rgb"))
    secret = pixels.rename(tmp_path / "secret.rgb")
    index.write_text(json.dumps(json.loads(index.read_text()) | {"pixels": str(secret)}))
    assert torch.equal(from_cache(folder, monkeypatch).hr[3], read_levels(folder / "3.png"))
    assert pixels.exists()  # made anew: the file elsewhere was not taken


def test_what_is_written_into_a_mapped_image_does_not_reach_the_cache(folder, monkeypatch):
    first = from_cache(folder, monkeypatch)
    first.hr[0].zero_()
    assert torch.equal(from_cache(folder, monkeypatch).hr[0], read_levels(folder / "0.png"))


def test_two_folders_of_one_name_have_two_caches(folder, home, monkeypatch, tmp_path):
    twin = tmp_path / "elsewhere" / folder.name
    for index in range(3):
        write_image(photo(9, 9, 70 + index), twin / f"{index}.png")
    one, other = from_cache(folder, monkeypatch), from_cache(twin, monkeypatch)
    assert one.fingerprint() != other.fingerprint()
    assert len(list((home / "cache").glob("*.json"))) == 2


def test_a_damaged_photo_is_named_and_nothing_half_made_stays(folder, home, monkeypatch):
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:200])
    with pytest.raises(SrlabError, match=r"4\.png is damaged"):
        from_cache(folder, monkeypatch)
    assert [path.suffix for path in (home / "cache").iterdir()] == [".lock"]


def test_no_room_is_said_before_anything_is_decoded(folder, monkeypatch, decoded):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(SrlabError, match=r"The cache of the photos of .* needs .* too little free"):
        from_cache(folder, monkeypatch)
    assert not decoded


def test_few_photos_are_not_cached(folder, home):
    datasets.folder(folder)
    assert not (home / "cache").exists()


def test_a_photo_that_vanishes_meanwhile_is_named(folder, monkeypatch):
    photos = datasets.image_files(folder)
    (folder / "5.png").unlink()
    with pytest.raises(SrlabError, match=r"5\.png has gone"):
        cached(folder, photos)
