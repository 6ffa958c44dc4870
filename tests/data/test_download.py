"""srlab.data.download: the network, the servers, archives and the disk fail: one sentence, or the file."""

import hashlib
import io
import random
import re
import shutil
import tarfile
import zipfile
from dataclasses import replace

import pytest

from srlab.base.errors import SrlabError
from srlab.base.files import MARGIN, amount
from srlab.data import catalog, download
from srlab.data.catalog import Archive, DataSet, Folder
from tests.data import server

CONTENT = random.Random(0).randbytes(300_000)
RIGHT = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
KNOWN = pytest.mark.parametrize("known", [RIGHT, {}], ids=["known", "unknown"])


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "TIMEOUT_S", 0.4)
    monkeypatch.setattr(download, "RETRIES", download.RETRIES.new(backoff_factor=0.001))
    with server.serving() as site:
        yield site


@pytest.fixture
def target(tmp_path):
    (tmp_path / "files").mkdir()
    return tmp_path / "files" / "data.zip"


def part_of(path):
    return path.with_name(f"{path.name}.part")


def visible(folder):
    """All files but locks, and what is in them."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(".lock"))
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def error_of(call, *arguments, **known):
    """The sentence that a call ends with."""
    with pytest.raises(SrlabError) as caught:
        call(*arguments, **known)
    assert "HTTPConnectionPool" not in str(caught.value)
    return str(caught.value)


# --- one file ---


@pytest.mark.parametrize(
    "faults",
    [[server.drops(100_000), server.ignores_ranges], [server.status(503), server.status(429)], [server.silent]],
    ids=["drops, and ignores the range", "is busy", "is silent"],
)
def test_what_may_pass_is_tried_again(site, target, faults):
    download.download([site.put("data.zip", CONTENT, *faults)], target, **RIGHT)
    assert visible(target.parent) == {"data.zip": CONTENT}


@KNOWN
def test_a_cut_download_goes_on_with_the_same_call(site, target, known):
    url = site.put("data.zip", CONTENT, server.drops(200_000), server.status(404))
    message = error_of(download.download, [url], target, **known)
    kept = part_of(target).stat().st_size
    assert 100_000 < kept <= 200_000
    assert f"{amount(kept)} are kept, and the same command goes on from there" in message
    assert not target.exists()
    site.heal()
    download.download([url], target, **known)
    assert visible(target.parent) == {"data.zip": CONTENT}
    assert site.asked == [("data.zip", f"bytes={kept}-")]


@KNOWN
def test_a_part_that_is_whole_is_not_fetched_again(site, target, known):
    part_of(target).write_bytes(CONTENT)
    download.download([site.put("data.zip", CONTENT)], target, **known)
    assert visible(target.parent) == {"data.zip": CONTENT}
    assert site.asked == ([] if known else [("data.zip", f"bytes={len(CONTENT)}-")])


@KNOWN
def test_a_part_that_is_longer_than_the_file_is_not_taken_for_it(site, target, known):
    part_of(target).write_bytes(CONTENT + b"of another file")
    url = site.put("data.zip", CONTENT)
    assert "longer than its file; the same command begins anew" in error_of(download.download, [url], target, **known)
    download.download([url], target, **known)
    assert visible(target.parent) == {"data.zip": CONTENT}


def test_another_file_than_expected_is_noticed_and_fetched_anew_by_the_same_call(site, target):
    for fault, part in ((server.wrong_content, b""), (server.well, b"of another file")):
        url = site.put("data.zip", CONTENT, fault)
        part_of(target).write_bytes(part)
        assert f"{url} sent another file than expected" in error_of(download.download, [url], target, **RIGHT)
        download.download([url], target, **RIGHT)
        assert visible(target.parent) == {"data.zip": CONTENT}
        target.unlink()


def test_addresses_are_asked_in_turn_and_the_error_names_each_without_its_password(site, target):
    bad = [site.put("gone.zip", None), site.put("page.zip", b"", server.page, server.page)]
    bad += ["http://me:secret@127.0.0.1:1/x?token=secret", "localhost:8000/me", ""]
    message = error_of(download.download, bad, target, **RIGHT)
    said = r"gone\.zip .*answered 404 .*page\.zip .*a web page .*1:1/x failed \(Connection refused\)"
    assert re.search(said, message)
    assert f"put the file at {target} yourself" in message
    assert "secret" not in message
    download.download([*bad, site.put("data.zip", CONTENT)], target, **RIGHT)
    assert visible(target.parent) == {"data.zip": CONTENT}


def test_a_file_that_is_there_is_taken_and_another_one_is_left_alone(target):
    target.write_bytes(CONTENT)
    assert download.download([], target, **RIGHT) == target
    target.write_bytes(CONTENT[::-1])
    assert f"{target} is there already, but" in error_of(download.download, [], target, **RIGHT)
    assert target.read_bytes() == CONTENT[::-1]


# --- a data set ---

IMAGES = {"Tiny/HR/a.png": b"one", "Tiny/HR/b_2.JPG": b"two"}
GOOD = {f"x/{name}": content for name, content in IMAGES.items()} | {"x/Tiny/readme.txt": b"read me"}


def packed(kind, members):
    """An archive of these members, by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") if kind == "zip" else tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            if kind == "zip":
                archive.writestr(name, content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture(params=["zip", "tar"])
def tiny(request, site, monkeypatch):
    """A catalogue of one set in an archive whose hash nobody has stated; returns the kind of the archive."""
    archive = Archive(f"tiny.{request.param}", site.base, (Folder("Tiny/HR", r"Tiny/HR/([\w-]+)", 2),))
    monkeypatch.setattr(catalog, "SETS", {"tiny": DataSet("Tiny", "Tiny", (archive,), "free", "Nobody, 2020")})
    site.put(archive.name, packed(request.param, GOOD))
    return request.param


def images_in(home):
    return {name: content for name, content in visible(home).items() if name.lower().endswith((".png", ".jpg"))}


@pytest.mark.parametrize("bad", ["a login page", "cut short", "too few images"])
def test_a_bad_archive_is_one_sentence_and_leaves_no_image(tiny, site, tmp_path, bad):
    good, few = site.files[f"tiny.{tiny}"], dict(list(GOOD.items())[:1])
    made = {"a login page": b"<html>" * 500, "cut short": good[:300], "too few images": packed(tiny, few)}
    site.put(f"tiny.{tiny}", made[bad])
    part = tmp_path / "archives" / f"tiny.{tiny}.part"
    message = error_of(download.fetch, "tiny", tmp_path)
    assert re.search(rf"{re.escape(str(part))} .*move it away, and the same command downloads it anew", message)
    assert images_in(tmp_path) == {}
    part.unlink()
    site.put(f"tiny.{tiny}", good)
    assert download.fetch("tiny", tmp_path) == tmp_path / "Tiny"
    assert images_in(tmp_path) == IMAGES
    assert not list((tmp_path / "archives").glob("tiny*"))


def test_members_that_lead_out_of_the_folder_go_nowhere(tiny, site, tmp_path):
    outside = ("../HR/x.png", "../../Tiny/HR/../x.png", "/Tiny/HR/../x.png", "Tiny/HR/..\\x.png", "Tiny/HR/C:x.png")
    site.put(f"tiny.{tiny}", packed(tiny, GOOD | dict.fromkeys(outside, b"x")))
    download.fetch("tiny", tmp_path / "data")
    assert images_in(tmp_path) == {f"data/{name}": content for name, content in IMAGES.items()}


@pytest.mark.parametrize("good", [True, False])
def test_an_archive_that_somebody_brought_is_used_without_the_network_and_stays(tiny, site, tmp_path, good):
    archive = tmp_path / "archives" / f"tiny.{tiny}"
    archive.parent.mkdir()
    archive.write_bytes(packed(tiny, GOOD) if good else b"noise")
    before = archive.read_bytes()
    if good:
        download.fetch("tiny", tmp_path)
    else:
        assert f"{archive} is damaged" in error_of(download.fetch, "tiny", tmp_path)
    assert archive.read_bytes() == before
    assert images_in(tmp_path) == (IMAGES if good else {})
    assert site.asked == []


def test_a_disk_that_is_too_small_is_said_before_the_first_byte(tiny, site, tmp_path, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=MARGIN + 10)
    (archive,) = catalog.SETS["tiny"].archives
    catalog.SETS["tiny"] = replace(catalog.SETS["tiny"], archives=(replace(archive, size=1000),))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert re.search(r"needs .*, and the disk .* too little free", error_of(download.fetch, "tiny", tmp_path))
    assert site.asked == []
