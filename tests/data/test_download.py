"""Test srlab.data.download, the catalog and data_scripts/download_data.py with a local server."""

import gzip
import hashlib
import io
import random
import re
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from PIL import Image

from srlab import downloading
from srlab.data import catalog, datasets, download
from srlab.data.catalog import Archive, DataSet
from srlab.errors import SrlabError
from srlab_course.lab.photos import planned_set
from tests.conftest import ROOT, files_in, load_script
from tests.file_server import serving


def png(side=8, seed=0):
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(3 * side**2)).save(file, "PNG")
    return file.getvalue()


def packed(kind, members, compression=zipfile.ZIP_STORED):
    """Return an archive with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) if kind == "zip" else tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            if kind == "zip":
                archive.writestr(name, content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


IMAGES = {
    "Tiny/HR/a.png": png(16),
    "Tiny/HR/b_2.png": png(16, 1),
    "Tiny/LRx4/a.png": png(4),
    "Tiny/LRx4/b_2.png": png(4),
}
# As in real archives: inside a folder of any name, with additional files.
MEMBERS = {f"./x/{name}": content for name, content in IMAGES.items() if "HR" in name}
MEMBERS |= {"./x/Tiny/LR/X4/ax4.png": png(4), "./x/Tiny/LR/X4/b_2x4.png": png(4)}
MEMBERS |= {"x/Tiny/readme.txt": b"?", "x/Tiny/LR/X2/ax2.png": b"?", "__MACOSX/Tiny/HR/._a.png": b"?"}
MORE = {"Tiny/HR/c.png": png(16)}
OUTSIDE = ("../HR/x.png", "../../Tiny/HR/../x.png", "/Tiny/HR/../x.png", "Tiny/HR/..\\x.png", "Tiny/HR/C:x.png")
FOLDERS = (("Tiny/HR", "Tiny/HR", 2), ("Tiny/LRx4", "Tiny/LR/X4", 2))


@pytest.fixture(params=["zip", "tar"])
def site(request, monkeypatch):
    """Serve the only set of the catalog, `tiny`; ``site.name`` is its archive."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloading, "BLOCK", 64)  # the rest of a block is lost when a connection drops
    with serving() as site:
        site.name = f"tiny.{request.param}"
        site.files[site.name] = packed(request.param, MEMBERS)
        know(monkeypatch, site)
        yield site


def know(monkeypatch, site, sha256=""):
    """Add the set to the catalog."""
    archive = Archive(f"{site.base}/{site.name}", FOLDERS, sha256)
    tiny = DataSet("Tiny", 2, (16, 16), (archive,), "free for all")
    monkeypatch.setattr(catalog, "SETS", {"tiny": tiny})


def error_of(home):
    with pytest.raises(SrlabError) as caught:
        download.fetch("tiny", home)
    return str(caught.value)


# --- The table ---


def test_catalog():
    for name, data_set in catalog.SETS.items():
        folders = {path: images for archive in data_set.archives for path, _, images in archive.folders}
        assert folders[f"{data_set.folder}/HR"] == data_set.images, name
        assert all(re.fullmatch(r"\w+(/train|/valid)?/(HR|LRx4)", path) for path in folders)
        assert all(len(archive.sha256) in (0, 64) for archive in data_set.archives)


# --- The network ---


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("faults", [["drops"], ["drops", "no ranges"], [503], [404]])
def test_failed_download_resumes(site, tmp_path, monkeypatch, faults, known):
    know(monkeypatch, site, hashlib.sha256(site.files[site.name]).hexdigest() if known else "")
    site.faults = [*faults]
    message = error_of(tmp_path)
    assert message.startswith(f"Could not download {site.base}/{site.name} (")
    assert f"put the file at {tmp_path}/archives/{site.name}" in message
    assert not (tmp_path / "archives" / site.name).exists()
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES
    first, second = site.requests
    assert (first, second is not None) == (None, faults[0] == "drops")


def test_no_server(site, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "base", "http://127.0.0.1:1")
    know(monkeypatch, site)
    assert "(Connection refused)" in error_of(tmp_path)


def test_wrong_hash(site, tmp_path, monkeypatch):
    know(monkeypatch, site, "0" * 64)
    message = error_of(tmp_path)
    assert f"/{site.name} sent another file (its SHA-256:" in message
    assert f"put the file at {tmp_path}/archives/{site.name}" in message
    assert files_in(tmp_path) == {}
    (tmp_path / "archives" / site.name).write_bytes(b"mine")
    words = "is damaged (its SHA-256 is not that of the file at "
    assert f"archives/{site.name} {words}{site.base}" in error_of(tmp_path)
    assert files_in(tmp_path) == {f"archives/{site.name}": b"mine"}
    assert len(site.requests) == 1


def test_download_that_was_not_unpacked_is_used_and_deleted(site, tmp_path, monkeypatch):
    know(monkeypatch, site, hashlib.sha256(site.files[site.name]).hexdigest())
    with monkeypatch.context() as interrupted:
        interrupted.setattr(download, "_unpack", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download.fetch("tiny", tmp_path)
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES
    assert len(site.requests) == 1


def test_concurrent_downloads_happen_once(site, tmp_path):
    with ThreadPoolExecutor() as pool:
        assert [*pool.map(download.fetch, ["tiny"] * 2, [tmp_path] * 2)] == [tmp_path / "Tiny"] * 2
    assert files_in(tmp_path) == IMAGES
    assert len(site.requests) == 1


# --- The archive ---


def test_only_needed_members_are_unpacked(site, tmp_path):
    kind = site.name[-3:]
    site.files[site.name] = packed(kind, MEMBERS | dict.fromkeys(OUTSIDE, b"x"))
    assert download.fetch("tiny", tmp_path / "data") == tmp_path / "data" / "Tiny"
    assert files_in(tmp_path) == {f"data/{name}": content for name, content in IMAGES.items()}


def sparse(name, size):
    """Return an archive with a file that is a hole of some bytes, as GNU tar stores it."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % size
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * ord(" "))
    return bytes(header)


@pytest.mark.parametrize("site", ["zip", "tar"], indirect=True)
def test_archive_that_unfolds_to_gigabytes_is_rejected(site, tmp_path, monkeypatch):
    if site.name.endswith("tar"):
        site.files[site.name] = sparse("Tiny/HR/b_2.png", 10**6) + packed("tar", {"Tiny/HR/a.png": b"x"})
    else:
        site.files[site.name] = packed("zip", {"Tiny/HR/a.png": b"x", "Tiny/HR/b_2.png": bytes(10**6)}, 8)
    monkeypatch.setattr(download.shutil, "copyfileobj", Mock(side_effect=AssertionError("unpacked")))
    assert "is damaged (its images in Tiny/HR unfold to more than" in error_of(tmp_path)
    assert not (tmp_path / "Tiny").exists()


@pytest.mark.parametrize("site", ["tar"], indirect=True)
def test_tar_whose_headers_lead_back_is_rejected(site, tmp_path):
    """Its member states a size of -512, so tarfile would read the same header again."""
    header = bytearray(tarfile.TarInfo("Tiny/HR/a.png").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * ord(" "))
    site.files[site.name] = packed("tar", {"Tiny/HR/b_2.png": b"x"})[:1024] + bytes(header) + bytes(2048)
    assert "is damaged (" in error_of(tmp_path)  # newer Python ends the list at such a header


@pytest.mark.parametrize("site", ["tar"], indirect=True)
def test_tar_with_much_text_for_all_members_is_rejected(site, tmp_path):
    texts = {str(number): "x" for number in range(download.MAX_PAX + 1)}
    start = tarfile.TarInfo.create_pax_global_header(texts)
    site.files[site.name] = start + packed("tar", MEMBERS)
    assert "is damaged (its headers are damaged)" in error_of(tmp_path)


@pytest.mark.parametrize("site", ["zip"], indirect=True)
def test_zip_with_another_compression_or_more_images_is_rejected(site, tmp_path):
    long = {"Tiny/HR/a.png": IMAGES["Tiny/HR/a.png"], f"Tiny/HR/{'a' * 260}.png": b"x"}  # a name of no file
    bad = {0: packed("zip", MEMBERS, zipfile.ZIP_BZIP2), 1: packed("zip", long), 3: packed("zip", MEMBERS | MORE)}
    for number, archive in bad.items():
        site.files[site.name] = archive
        assert f"it has {number} images in Tiny/HR instead of 2" in error_of(tmp_path / str(number))


@pytest.mark.parametrize("content", ["page", "cut", "few", "compressed"])
@pytest.mark.parametrize("yours", [True, False])
def test_invalid_archive_leaves_no_image(site, tmp_path, content, yours):
    archive, good = tmp_path / "archives" / f"{'' if yours else 'downloaded-'}{site.name}", site.files[site.name]
    few = packed(site.name[-3:], {"Tiny/HR/a.png": IMAGES["Tiny/HR/a.png"]})
    bad = {"page": b"<html>" * 500, "cut": good[:300], "few": few, "compressed": gzip.compress(good)}[content]
    site.files[site.name] = bad
    if yours:
        archive.parent.mkdir()
        archive.write_bytes(bad)
    words = "it has 1 images in Tiny/HR instead of 2" if content == "few" else ""
    assert re.match(rf"{archive} is damaged \(.*{words}.*\). Move it elsewhere", error_of(tmp_path))
    assert files_in(tmp_path) == {f"archives/{archive.name}": bad}
    archive.write_bytes(good)  # used without a download
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES | ({f"archives/{archive.name}": good} if yours else {})
    assert len(site.requests) == (0 if yours else 1)


# --- By name ---


def test_load_images_by_name(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "TINY"):
        images = datasets.load_images(name)
        assert (images.names, images.lr_of("b_2").shape) == (["a", "b_2"], (1, 3, 4, 4))
    assert len(site.requests) == 1
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "own.png").write_bytes(png())
    assert datasets.load_images("tiny").names == ["own"]


def test_planned_set(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    planned = planned_set("tiny")
    assert (planned.name, planned.sizes, planned.describe()["count"]) == ("Tiny", [(16, 16)] * 2, 2)
    assert planned.at_least(16).hr[1].is_meta
    assert site.requests == []
    download.fetch("tiny")
    assert planned_set("tiny").names == ["a", "b_2"]


def test_download_data(site, tmp_path, capsys):
    main = load_script(ROOT / "data_scripts" / "download_data.py").main
    to = tmp_path / "else where"
    assert main(["tiny", "set6", "--to", str(to)]) == 2
    assert "'set6' is not a known dataset" in capsys.readouterr().err
    assert main(["--list"]) == 0
    assert site.requests == []
    capsys.readouterr()
    for _ in range(2):
        assert main(["tiny", "tiny", "--to", str(to)]) == 0
    assert len(site.requests) == 1
    said = capsys.readouterr().out
    assert all(part in said for part in ("free for all", str(to / "Tiny")))
