"""srlab.data.download: the network, the servers, archives and the disk fail: one sentence, or the file."""

import errno
import hashlib
import io
import itertools
import os
import random
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.base.files import MARGIN, amount
from srlab.data import catalog, download
from srlab.data.catalog import Archive, DataSet, Folder
from srlab.data.formats import EXTENSIONS
from tests.data import server

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
RIGHT = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "TIMEOUT_S", 0.4)
    monkeypatch.setattr(download, "RETRIES", download.RETRIES.new(backoff_factor=0.001))


@pytest.fixture
def site():
    with server.serving() as site:
        yield site


@pytest.fixture
def target(tmp_path):
    return tmp_path / "files" / "data.zip"


def part_of(path):
    return path.with_name(f"{path.name}.part")


def visible(folder):
    """All files but locks, and what is in them."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(".lock"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def error_of(call, *arguments, **known):
    """The sentence that a call ends with."""
    with pytest.raises(SrlabError) as caught:
        call(*arguments, **known)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable()
    assert "HTTPConnectionPool" not in message
    return message


# --- one file ---

RECOVERS = {
    "drops, and ignores the range": [server.drops(100_000), server.ignores_ranges],
    "503 and 429": [server.status(503), server.status(429)],
    "is silent": [server.silent],
}


@pytest.mark.parametrize("name", RECOVERS)
def test_what_may_pass_is_tried_again(site, target, name):
    url = site.put("data.zip", CONTENT, *RECOVERS[name])
    assert download.download([url], target, **RIGHT) == target
    assert visible(target.parent) == {"data.zip": CONTENT}


@pytest.mark.parametrize("known", [RIGHT, {}], ids=["known", "unknown"])
def test_a_cut_download_goes_on_with_the_same_call(site, target, known):
    url = site.put("data.zip", CONTENT, server.drops(200_000), *[server.hangs_up] * 9)
    message = error_of(download.download, [url], target, **known)
    kept = part_of(target).stat().st_size
    assert 100_000 < kept <= 200_000
    assert f"{amount(kept)} are kept, and the same command goes on from there" in message
    assert not target.exists()
    site.heal()
    download.download([url], target, **known)
    assert visible(target.parent) == {"data.zip": CONTENT}
    assert site.asked == [("data.zip", f"bytes={kept}-")]


ENDS = {
    "other content": (server.wrong_content, "another file than expected"),
    "a web page": (server.page, "a web page"),
    "404": (server.status(404), "answered 404 Not Found"),
    "speaks no HTTP": (server.babbles, r"failed \(.*\?\[31m"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_does_not_pass_ends_soon_in_one_sentence_and_a_healthy_server_puts_it_right(site, target, capsys, name):
    fault, words = ENDS[name]
    url = site.put("data.zip", CONTENT)
    site.faults["data.zip"] = itertools.repeat(fault)
    assert re.search(f"{re.escape(url)} .*({words})", error_of(download.download, [url], target, **RIGHT))
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    site.heal()
    download.download([url], target, **RIGHT)
    assert visible(target.parent) == {"data.zip": CONTENT}


def test_addresses_are_asked_in_turn_and_the_error_names_each_without_its_password(site, target):
    bad = [site.put("gone.zip", None), site.put("page.zip", b"", server.page)]
    bad += ["http://me:secret@127.0.0.1:1/x?token=secret", "localhost:8000/me", ""]
    message = error_of(download.download, bad, target, **RIGHT)
    assert re.search(
        r"gone\.zip .*answered 404 .*page\.zip .*a web page .*1:1/x failed \(Connection refused\)", message
    )
    assert f"put the file at {target} yourself" in message
    assert "secret" not in message
    first = site.put("first.zip", CONTENT, server.drops(200_000), server.status(404))
    download.download([*bad, first, site.put("data.zip", CONTENT)], target, **RIGHT)
    assert visible(target.parent) == {"data.zip": CONTENT}


@pytest.mark.parametrize("known", [RIGHT, {"sha256": RIGHT["sha256"][:8]}], ids=["whole hash", "first digits"])
def test_a_part_of_another_file_is_noticed_and_fetched_anew_by_the_same_call(site, target, known):
    url = site.put("data.zip", CONTENT)
    target.parent.mkdir()
    part_of(target).write_bytes(OTHER[:1000])
    assert "another file than expected" in error_of(download.download, [url], target, **known)
    download.download([url], target, **known)
    assert visible(target.parent) == {"data.zip": CONTENT}


@pytest.mark.parametrize(("known", "asked"), [(RIGHT, 0), ({}, 1)], ids=["known", "unknown"])
def test_a_part_that_is_whole_is_not_fetched_again(site, target, known, asked):
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT)
    download.download([site.put("data.zip", CONTENT)], target, **known)
    assert target.read_bytes() == CONTENT
    assert (len(site.asked), sum(site.served.values())) == (asked, 0)


def test_a_file_that_is_there_is_taken_and_anything_else_is_left_alone(target):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    assert download.download([], target, **RIGHT) == target
    for other in (OTHER, b"short"):
        target.write_bytes(other)
        assert f"{target} is there already, but" in error_of(download.download, [], target, **RIGHT)
        assert target.read_bytes() == other
    target.unlink()
    target.mkdir()
    assert f"{target} is there already, but" in error_of(download.download, [], target, **RIGHT)


def test_a_full_disk_keeps_the_part(site, target, monkeypatch):
    url = site.put("data.zip", CONTENT)

    def update(bar, count):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(download.tqdm, "update", update)
        said = error_of(download.download, [url, url], target, **RIGHT)
    assert f"Could not write {target} (No space left on device)" in said
    assert len(site.asked) == 1  # no other server can help
    kept = part_of(target).stat().st_size
    assert kept > 0
    download.download([url], target, **RIGHT)
    assert site.asked[1:] == [("data.zip", f"bytes={kept}-")]
    assert target.read_bytes() == CONTENT


# --- a data set ---


def encoded(seed, kind="PNG"):
    file = io.BytesIO()
    Image.frombytes("RGB", (8, 8), random.Random(seed).randbytes(192)).save(file, kind)
    return file.getvalue()


IMAGES = {"Tiny/HR/a.png": encoded(0), "Tiny/HR/b_2.JPG": encoded(1, "JPEG")}
GOOD = {f"x/{name}": content for name, content in IMAGES.items()} | {"x/Tiny/readme.txt": b"read me"}


def packed(kind, members):
    """An archive of (name, content), in order."""
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def with_image(name, content):
    return lambda kind: packed(kind, (GOOD | {f"x/Tiny/HR/{name}": content}).items())


FIRST = list(GOOD.items())[:1]
REFUSED = {
    "a login page": lambda kind: b"<!DOCTYPE html><html>Please log in</html>" * 50,
    "cut short": lambda kind: packed(kind, GOOD.items())[:700],
    "too few images": lambda kind: packed(kind, FIRST),
    "a flipped bit": with_image("a.png", encoded(0)[:60] + bytes([encoded(0)[60] ^ 1]) + encoded(0)[61:]),
    "a cut JPEG": with_image("b_2.JPG", encoded(1, "JPEG")[:-20]),
}


@pytest.fixture(params=["zip", "tar"])
def tiny(request, site, monkeypatch, tmp_path):
    """A catalogue of one set in an archive whose hash nobody has stated; returns the kind of the archive."""
    archive = Archive(f"tiny.{request.param}", site.base, (Folder("Tiny/HR", r"Tiny/HR/([\w-]+)", 2),))
    monkeypatch.setattr(catalog, "SETS", {"tiny": DataSet("Tiny", "Tiny", (archive,), "free", "Nobody, 2020")})
    site.put(archive.name, packed(request.param, GOOD.items()))
    return request.param


@pytest.fixture
def home(tmp_path):
    return tmp_path / "data"


def images_in(home):
    """Images under their names: not those on their way there."""
    files = visible(home).items()
    return {
        name: content
        for name, content in files
        if name.lower().endswith(EXTENSIONS) and not name.startswith(".unpacking")
    }


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_archive_is_one_sentence_writes_no_image_and_does_not_spoil_the_next_download(tiny, site, home, name):
    good = site.files[f"tiny.{tiny}"]
    site.put(f"tiny.{tiny}", REFUSED[name](tiny))
    message = error_of(download.fetch, "tiny", home=home)
    part = home / "archives" / f"tiny.{tiny}.part"
    assert str(part) in message
    assert images_in(home) == {}
    if "so delete it" in message:
        part.unlink()
    assert not part.exists()
    site.put(f"tiny.{tiny}", good)
    assert download.fetch("tiny", home=home) == home / "Tiny"
    assert images_in(home) == IMAGES


def test_members_that_lead_out_of_the_folder_go_nowhere(tiny, site, home, tmp_path):
    outside = ("../HR/x.png", "../../Tiny/HR/../x.png", "/Tiny/HR/../x.png", "Tiny/HR/..\\x.png", "Tiny/HR/C:x.png")
    site.put(f"tiny.{tiny}", packed(tiny, [*GOOD.items(), *[(name, encoded(3)) for name in outside]]))
    download.fetch("tiny", home=home)
    assert images_in(tmp_path) == {f"data/{name}": content for name, content in IMAGES.items()}


@pytest.mark.parametrize("good", [True, False])
def test_an_archive_that_somebody_brought_is_used_without_the_network_and_stays(tiny, site, home, good):
    archive = home / "archives" / f"tiny.{tiny}"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(packed(tiny, GOOD.items()) if good else b"noise")
    before = archive.read_bytes()
    if good:
        download.fetch("tiny", home=home)
    else:
        assert f"{archive} is damaged" in error_of(download.fetch, "tiny", home=home)
    assert archive.read_bytes() == before
    assert images_in(home) == (IMAGES if good else {})
    assert site.asked == []


def test_the_disk_is_too_small_or_full_and_nothing_is_left_half(tiny, site, home, monkeypatch):
    (archive,) = catalog.SETS["tiny"].archives
    sized = Archive(archive.name, archive.server, archive.folders, len(site.files[archive.name]))
    usage = shutil.disk_usage("/")._replace(free=MARGIN + 10)
    with monkeypatch.context() as patch:
        patch.setitem(catalog.SETS, "tiny", DataSet("Tiny", "Tiny", (sized,), "free", "Nobody, 2020"))
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        assert re.search(r"needs .*, and the disk .* too little free", error_of(download.fetch, "tiny", home=home))
    assert site.asked == []

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert "No space left" in error_of(download.fetch, "tiny", home=home)
    assert visible(home).keys() == {f"archives/{archive.name}.part"}
    site.heal()
    download.fetch("tiny", home=home)
    assert images_in(home) == IMAGES
    assert sum(site.served.values()) == 0  # the archive was kept
