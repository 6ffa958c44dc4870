"""Photos on their way into the cache."""

import errno
import os
import sys

import pytest
import torch

from srlab.base.errors import SrlabError
from srlab.data import datasets
from srlab.data.images import read_levels, write_image
from tests.kills import Life, kill_until_done

from .fault import fault

unix = pytest.mark.skipif(sys.platform == "win32", reason="the process is forked, which Windows cannot")
PHOTOS = 40


def make_photos(folder):
    random = torch.Generator().manual_seed(0)
    for index in range(PHOTOS):
        levels = torch.randint(0, 256, (3, 60 + index, 80), generator=random, dtype=torch.uint8)
        write_image(levels, folder / f"{index:02d}.png")
    return folder


def decode(say, place):
    """Decode the photos into a cache in `place`, and say what comes from it."""
    os.environ["SRLAB_HOME"] = str(place)
    datasets.CACHE_FROM = 2
    images = datasets.folder(place.parent / "photos")
    say(f"{images.fingerprint()} {int(torch.stack([hr.sum() for hr in images.hr]).sum())}")


def truth(folder):
    images = datasets.folder(folder)
    return f"{images.fingerprint()} {int(torch.stack([hr.sum() for hr in images.hr]).sum())}"


def files(place):
    return sorted(path.name for path in (place / "cache").iterdir())


@unix
@fault("kill -9 while photos are decoded", "the next start decodes them again; no half-made pixels are ever served")
def test_decoding_killed_at_any_moment_is_done_again(tmp_path):
    wanted = truth(make_photos(tmp_path / "photos"))

    def check(place, said):
        assert set(said) <= {wanted}
        for index in (place / "cache").glob("*.json"):  # what has its name is whole
            assert index.read_text().endswith("}")

    def result(place):
        return [name for name in files(place) if not name.endswith(".lock")]

    kill_until_done(decode, tmp_path, check, result)
    life = Life(decode, tmp_path / "round1")
    assert life.end() == 0
    assert life.said == [wanted]


@unix
@fault("two processes want the same photos at once", "one decodes, the other waits, and both have the right pixels")
def test_two_processes_that_start_together_decode_once(tmp_path, record_property):
    wanted = truth(make_photos(tmp_path / "photos"))
    for attempt in range(5):
        place = tmp_path / f"home{attempt}"
        place.mkdir()
        lives = [Life(decode, place) for _ in range(2)]
        assert [life.end() for life in lives] == [0, 0]
        assert [life.said for life in lives] == [[wanted], [wanted]]
        assert len([name for name in files(place) if name.endswith(".rgb")]) == 1
    record_property("times", 5)


@fault("the disk is full after any number of photos", "one sentence, nothing half made; with room it goes through")
def test_a_disk_that_fills_leaves_nothing_behind(tmp_path, monkeypatch, record_property):
    monkeypatch.setattr(datasets, "CACHE_FROM", 2)
    folder = make_photos(tmp_path / "photos")

    class Full:
        def __init__(self, file, room):
            self.file, self.room = file, room

        def write(self, content):
            self.room -= 1
            if self.room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(content)

        def __getattr__(self, name):
            return getattr(self.file, name)

    from srlab.data import cache

    decode_into = cache._decode
    rooms = (0, 1, PHOTOS // 2, PHOTOS - 1)
    for room in rooms:
        with monkeypatch.context() as full:
            full.setattr(
                cache, "_decode", lambda photos, sources, file, n=room: decode_into(photos, sources, Full(file, n))
            )
            with pytest.raises(SrlabError, match=r"Could not write .*No space left on device"):
                datasets.folder(folder)
        assert all(name.endswith(".lock") for name in files(tmp_path / "runs"))
    record_property("times", len(rooms))
    assert torch.equal(datasets.folder(folder).hr[7], read_levels(folder / "07.png"))


@fault("a photo changes while the photos are decoded", "one sentence, or the new pixels; never the old ones")
def test_a_photo_that_changes_meanwhile_is_never_served_old(tmp_path, monkeypatch):
    from srlab.data import cache

    monkeypatch.setattr(datasets, "CACHE_FROM", 2)
    folder = make_photos(tmp_path / "photos")

    def read_and_change(path, keep_grey=False):
        levels = read_levels(path, keep_grey)
        if path.name == "05.png":
            write_image(255 - levels, path)
            os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))
        return levels

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(cache, "read_levels", read_and_change)
        with pytest.raises(SrlabError, match="changed while they were decoded"):
            datasets.folder(folder)
    assert torch.equal(datasets.folder(folder).hr[5], read_levels(folder / "05.png"))


@fault("the folder of the cache may not be written", "one sentence that names it")
def test_a_cache_folder_that_is_none_gives_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE_FROM", 2)
    folder = make_photos(tmp_path / "photos")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "cache").write_text("a file is in the way")
    with pytest.raises(SrlabError, match=r"runs/cache"):
        datasets.folder(folder)


@fault("memory runs out while a photo is decoded", "one sentence that names the photo, nothing half made")
def test_a_photo_too_large_for_the_memory_is_named(tmp_path, monkeypatch):
    from srlab.data import images

    monkeypatch.setattr(datasets, "CACHE_FROM", 2)
    folder = make_photos(tmp_path / "photos")
    decode_one = images._decode

    def out_of_memory(path, image):
        if path.name == "31.png":
            raise MemoryError
        return decode_one(path, image)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(images, "_decode", out_of_memory)
        with pytest.raises(SrlabError, match=r"31\.png.*memory"):
            datasets.folder(folder)
    assert all(name.endswith(".lock") for name in files(tmp_path / "runs"))
    assert len(datasets.folder(folder)) == PHOTOS
