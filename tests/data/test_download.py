"""srlab.data.download, the catalog and data_scripts/download_data.py, against a server on the loopback address."""

import hashlib
import io
import json
import random
import re
import tarfile
import threading
import zipfile

import pytest
from PIL import Image

from srlab.data import catalog, datasets, download
from srlab.data.catalog import Archive, DataSet, Folder
from srlab.errors import SrlabError
from tests.conftest import ROOT, load_script
from tests.data import server


def png(side=8, seed=0):
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(3 * side**2)).save(file, "PNG")
    return file.getvalue()


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


IMAGES = {
    "Tiny/HR/a.png": png(16),
    "Tiny/HR/b_2.png": png(16, 1),
    "Tiny/LRx4/ax4.png": png(4),
    "Tiny/LRx4/b_2x4.png": png(4),
}
# As in real archives: under a folder of any name, and with more than is wanted.
MEMBERS = {f"./x/{name}".replace("LRx4", "LR/X4"): content for name, content in IMAGES.items()}
MEMBERS |= {"x/Tiny/readme.txt": b"?", "x/Tiny/LR/X2/ax2.png": b"?", "__MACOSX/Tiny/HR/._a.png": b"?"}
OUTSIDE = ("../HR/x.png", "../../Tiny/HR/../x.png", "/Tiny/HR/../x.png", "Tiny/HR/..\\x.png", "Tiny/HR/C:x.png")
FOLDERS = (Folder("Tiny/HR", "Tiny/HR", 2), Folder("Tiny/LRx4", "Tiny/LR/X4", 2))


@pytest.fixture(params=["zip", "tar"])
def site(request, monkeypatch):
    """A server of the only set of the catalog, `tiny`; ``site.name`` is its archive."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "BLOCK", 64)  # what is left of a block is lost when a connection drops
    with server.serving() as site:
        site.name = f"tiny.{request.param}"
        site.files[site.name] = packed(request.param, MEMBERS)
        know(monkeypatch, site)
        yield site


def know(monkeypatch, site, sha256=None):
    """Put the set into the catalog."""
    archive = Archive(f"{site.base}/{site.name}", FOLDERS, sha256)
    tiny = DataSet("Tiny", "Tiny", 2, (16, 16), (archive,), "free for all", "Doe, Tiny Images, 2020")
    monkeypatch.setattr(catalog, "SETS", {"tiny": tiny})


def files_in(home):
    """All files except for locks and the note about the source, and what is in them."""
    files = (file for file in home.rglob("*") if file.is_file() and file.suffix not in (".lock", ".json"))
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in files}


def error_of(home):
    with pytest.raises(SrlabError) as caught:
        download.fetch("tiny", home)
    return str(caught.value)


# --- The table ---


def test_catalog():
    for name, data_set in catalog.SETS.items():
        assert re.search(r"\b(19|20)\d\d\b", data_set.citation)
        own = {
            folder.path: folder for archive in data_set.archives for folder in archive.folders if data_set.owns(folder)
        }
        assert own[f"{data_set.folder}/HR"].images == data_set.images, name
        assert all(re.fullmatch(r"\w+(/train|/valid)?/(HR|LRx4)", path) for path in own)
        assert all(archive.sha256 is None or len(archive.sha256) == 64 for archive in data_set.archives)
    names = re.search(r"The names are (.*?)\.", (ROOT / "docs" / "data.md").read_text(encoding="utf-8"))[1]
    assert re.findall(r"`(.+?)`", names) == [*catalog.SETS, "all"]


# --- The network ---


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("fault", "second"),
    [("drops", ""), ("drops", "no ranges"), (503, ""), (404, "")],
)
def test_failure_is_one_sentence_and_the_same_call_resumes(site, tmp_path, monkeypatch, fault, second, known):
    content = site.files[site.name]
    know(monkeypatch, site, hashlib.sha256(content).hexdigest() if known else None)
    site.faults = [fault, second]
    message = error_of(tmp_path)
    assert re.match(rf"Could not download {site.base}/{site.name} \(.*\)\. Check the network", message)
    assert "HTTPConnectionPool" not in message
    assert not (tmp_path / "archives" / site.name).exists()
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES
    (resumed,) = [asked for _, asked in site.requests[1:]]
    assert (resumed is not None) == (fault == "drops")


@pytest.mark.parametrize("extra", [b"", b"of a longer file"])
def test_complete_part_is_not_downloaded_again_and_a_longer_one_is_another_file(site, tmp_path, extra):
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / f"{site.name}.part").write_bytes(site.files[site.name] + extra)
    if extra:
        assert "416" in error_of(tmp_path)
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES
    assert site.requests[0][1] is not None
    assert len(site.requests) == (2 if extra else 1)


def test_wrong_hash_is_an_error_and_no_archive_stays(site, tmp_path, monkeypatch):
    know(monkeypatch, site, "0" * 64)
    assert "does not match" in error_of(tmp_path)
    assert files_in(tmp_path) == {}


def test_no_server(site, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "base", "http://127.0.0.1:1")
    know(monkeypatch, site)
    assert re.search(rf"\(Connection refused\)\. Check the network.* or put the file at {tmp_path}", error_of(tmp_path))


def test_two_at_once_download_once(site, tmp_path):
    threads = [threading.Thread(target=download.fetch, args=("tiny", tmp_path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files_in(tmp_path) == IMAGES
    assert len(site.requests) == 1


# --- The archive ---


def test_only_wanted_members_are_unpacked_and_none_leads_out_of_its_folder(site, tmp_path):
    kind = site.name[-3:]
    site.files[site.name] = packed(kind, MEMBERS | dict.fromkeys(OUTSIDE, b"x"))
    assert download.fetch("tiny", tmp_path / "data") == tmp_path / "data" / "Tiny"
    assert files_in(tmp_path) == {f"data/{name}": content for name, content in IMAGES.items()}
    source = json.loads((tmp_path / "data" / "Tiny" / "source.json").read_text())
    assert source == {
        "license": "free for all",
        "citation": "Doe, Tiny Images, 2020",
        "archives": [f"{site.base}/{site.name}"],
    }


@pytest.mark.parametrize("content", ["page", "cut", "few"])
@pytest.mark.parametrize("yours", [True, False])
def test_bad_archive_is_one_sentence_and_leaves_no_image(site, tmp_path, content, yours):
    kind, good = site.name[-3:], site.files[site.name]
    bad = {"page": b"<html>" * 500, "cut": good[:300], "few": packed(kind, dict(list(MEMBERS.items())[:1]))}[content]
    archive = tmp_path / "archives" / site.name
    if yours:
        archive.parent.mkdir()
        archive.write_bytes(bad)
    site.files[site.name] = bad
    assert re.match(
        rf"{re.escape(str(archive))} (is damaged|has 1 images for Tiny/HR instead of 2)", error_of(tmp_path)
    )
    assert files_in(tmp_path) == {f"archives/{site.name}": bad}
    archive.unlink()
    site.files[site.name] = good
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES


def test_your_archive_is_used_without_the_network_and_kept(site, tmp_path):
    archive = tmp_path / "archives" / site.name
    archive.parent.mkdir()
    archive.write_bytes(site.files[site.name])
    download.fetch("tiny", tmp_path)
    assert files_in(tmp_path) == IMAGES | {f"archives/{site.name}": archive.read_bytes()}
    assert site.requests == []


# --- By name ---


def test_load_images_downloads_a_set_once_unless_a_folder_has_its_name(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "TINY"):
        images = datasets.load_images(name)
        assert (images.names, images.lr_of("b_2").shape) == (["a", "b_2"], (1, 3, 4, 4))
    assert len(site.requests) == 1
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "own.png").write_bytes(png())
    assert datasets.load_images("tiny").names == ["own"]


def test_planned_set_has_sizes_and_no_download(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    planned = datasets.planned_set("tiny")
    assert (planned.name, planned.sizes, planned.describe()["count"]) == ("Tiny", [(16, 16)] * 2, 2)
    assert planned.at_least(16).hr[1].is_meta
    assert site.requests == []
    download.fetch("tiny")
    assert datasets.planned_set("tiny").names == ["a", "b_2"]


def test_command(site, tmp_path, capsys):
    main = load_script(ROOT / "data_scripts" / "download_data.py").main
    to = tmp_path / "else where"
    assert main(["tiny", "set6", "--to", str(to)]) == 2
    assert capsys.readouterr().err.startswith("download_data: There is no data set 'set6' to download; choose one of")
    assert main(["--list"]) == 0
    assert site.requests == []
    capsys.readouterr()
    for _ in range(2):
        assert main(["tiny", "tiny", "--to", str(to)]) == 0
        said = "tiny: Tiny\n  license: free for all\n  cite: Doe, Tiny Images, 2020\n"
        assert capsys.readouterr().out == f"{said}  folder: {to / 'Tiny'}\n"
    assert len(site.requests) == 1
