"""Archives: what is unpacked is damaged, hostile or something else."""

import errno
import io
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import namedtuple

import pytest

from srlab.base import disk
from srlab.base.errors import SrlabError
from srlab.data import archives

from .fault import KILLS, fault

FILES = {f"{i:04d}.png": random.Random(i).randbytes(3000) + bytes(2000) for i in range(1, 4)}
WHOLE = {f"set/HR/{name}": content for name, content in FILES.items()} | {"set/readme.txt": b"read me"}
Usage = namedtuple("Usage", "total used free")


def place(name):
    return name.rpartition("/")[2] if "HR/" in name and name.endswith(".png") else None


def make_zip(path, members):
    """Write members (name or ZipInfo, content), in order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def make_tar(path, members):
    """Write members (name or TarInfo, content), in order."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKE = {"zip": make_zip, "tar": make_tar}


@pytest.fixture(params=["zip", "tar"])
def make(request):
    return MAKE[request.param]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "HR"


def unpack(archive, folder, **how):
    return archives.extract(archive, folder, place, progress=False, **how)


@pytest.fixture
def quick_disk(monkeypatch):
    """No waiting for the disk, where files are unpacked hundreds of times."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def content_of(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def assert_refused(archive, folder, words, **how):
    """One sentence, and nothing is written."""
    before = set(archive.parent.rglob("*"))
    with pytest.raises(SrlabError, match=words) as caught:
        unpack(archive, folder, **how)
    assert str(caught.value).endswith(".")
    assert str(caught.value).isprintable()
    assert str(archive) in str(caught.value)
    assert set(archive.parent.rglob("*")) - before <= {folder.parent}


@pytest.mark.parametrize("prefix", ["", "./", "a/b/c/"])
@fault("the files lie in other folders of the archive than usual", "unpacked all the same")
def test_a_good_archive_becomes_a_folder(tmp_path, folder, make, prefix):
    archive = make(tmp_path / "a", [(prefix + name, content) for name, content in WHOLE.items()])
    assert unpack(archive, folder, count=3, limit=15_000) == sorted(FILES)
    assert content_of(folder) == FILES
    assert [file.name for file in folder.parent.iterdir()] == ["HR"]


@fault("folders, and links among what is not needed", "passed over")
def test_folders_and_links_that_are_not_needed_do_not_matter(tmp_path, folder):
    link, sub = tarfile.TarInfo("set/latest"), tarfile.TarInfo("set/HR/sub.png")
    link.type, link.linkname, sub.type = tarfile.SYMTYPE, "/etc/passwd", tarfile.DIRTYPE
    archive = make_tar(tmp_path / "a.tar", [(link, b""), (sub, b""), *WHOLE.items()])
    assert unpack(archive, folder) == sorted(FILES)


OUTSIDE = (
    *("../HR/x.png", "a/../../HR/x.png", "HR/..", "/HR/x.png", "//HR/x.png", "C:/HR/x.png", "C:HR/x.png"),
    *("HR\\x.png", "..\\HR/x.png", "../\x1b[31m/HR/x.png"),
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, id=ascii(name).replace("/", "|"), marks=fault(f"a member {name!a}", "refused, nothing written")
        )
        for name in OUTSIDE
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, folder, make, name):
    assert_refused(make(tmp_path / "a", [*WHOLE.items(), (name, b"x")]), folder, "leads out of the folder")


KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a pipe",
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=words, marks=fault(f"a needed member of a tar is {words}", "refused, nothing written"))
        for kind, words in KINDS.items()
    ],
)
def test_a_tar_member_that_is_no_plain_file_is_refused(tmp_path, folder, kind):
    info = tarfile.TarInfo("set/HR/x.png")
    info.type, info.linkname = kind, "set/HR/0001.png"
    assert_refused(make_tar(tmp_path / "a", [*WHOLE.items(), (info, b"")]), folder, "as link or device, not as a plain")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
@fault("a needed member of a zip is a link, a device or a pipe", "refused, nothing written")
def test_a_zip_member_that_is_no_plain_file_is_refused(tmp_path, folder, mode):
    info = zipfile.ZipInfo("set/HR/x.png")
    info.external_attr = (mode | 0o777) << 16
    archive = make_zip(tmp_path / "a", [*WHOLE.items(), (info, b"/etc/passwd")])
    assert_refused(archive, folder, "as link or device, not as a plain")


@fault("an encrypted member", "refused, nothing written")
def test_an_encrypted_member_is_refused(tmp_path, folder):
    archive = make_zip(tmp_path / "a", WHOLE.items())
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    archive.write_bytes(data)
    assert_refused(archive, folder, "as encrypted file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["set/HR/0001.png", "other/HR/0001.png", "set/HR/0001.PNG"])
@fault("two members for one file, also where only the disk takes them for one", "refused, nothing written")
def test_two_members_for_one_file_are_refused(tmp_path, folder, make, name):
    archive = make(tmp_path / "a", [*WHOLE.items(), (name, b"x")])
    with pytest.raises(SrlabError, match=r"holds '0001.(png|PNG)' twice"):
        archives.extract(archive, folder, lambda name: name.rpartition("/")[2], progress=False)
    assert not folder.parent.exists()


@fault("an archive that unpacks to more than can be expected (a bomb)", "refused, nothing written")
def test_a_bomb_is_refused_by_the_limit(tmp_path, folder, make):
    archive = make(tmp_path / "a", [("set/HR/x.png", bytes(3_000_000))])
    assert_refused(archive, folder, "would unpack to 3 MB, more than the 1 MB", limit=1_000_000)


@fault("a zip member that holds more or fewer bytes than it declares", "refused, nothing is left")
@pytest.mark.parametrize("declared", [100, 2_999_999, 3_000_001])
def test_a_member_that_lies_about_its_size_is_refused(tmp_path, folder, declared):
    archive = make_zip(tmp_path / "a", [("set/HR/x.png", bytes(3_000_000))])
    data = archive.read_bytes().replace((3_000_000).to_bytes(4, "little"), declared.to_bytes(4, "little"))
    archive.write_bytes(data)
    assert_refused(archive, folder, "damaged", limit=1 << 40)


@fault("the disk is too small for the content", "one error before a byte is written, with how much is missing")
def test_a_small_disk_is_noticed_before(tmp_path, folder, make, monkeypatch):
    archive = make(tmp_path / "a", [("set/HR/x.png", bytes(3_000_000))])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, disk.MARGIN + 1_000_000))
    with pytest.raises(SrlabError, match=r"Unpacking a needs 3 MB, and the disk .* has 2 MB too little"):
        unpack(archive, folder)
    assert not folder.parent.exists()


@fault("the disk fills up while unpacking", "one error, nothing is left; a re-run is right")
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, folder, make, monkeypatch):
    archive = make(tmp_path / "a", WHOLE.items())

    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert_refused(archive, folder, "Could not unpack .*No space left")
    unpack(archive, folder)
    assert content_of(folder) == FILES


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"PK\x03\x04", b"PK\x05\x06", b"<html>" * 500, bytes(5000), bytes(range(256)) * 50],
    ids=["empty", "two bytes", "zip head", "zip end", "page", "zeros", "noise"],
)
@fault("a file that is no archive", "one error that says so")
def test_what_is_no_archive_is_refused(tmp_path, folder, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    assert_refused(archive, folder, "neither a zip nor a tar|damaged|holds 0 of the files")


@fault("a compressed tar, which none of the sets is", "one error that says so")
def test_a_compressed_tar_is_refused(tmp_path, folder):
    with tarfile.open(tmp_path / "a", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("set/HR/x.png"))
    assert_refused(tmp_path / "a", folder, "neither a zip nor a tar")


@fault("there is no such archive, or a folder in its place", "one error that says so")
@pytest.mark.parametrize("name", ["none", "folder"])
def test_a_missing_archive(tmp_path, folder, name):
    (tmp_path / "folder").mkdir()
    assert_refused(tmp_path / name, folder, "cannot be read")


@fault("another archive, with none or too few of the files", "one error with the numbers, nothing written")
def test_another_archive_is_refused(tmp_path, folder, make):
    archive = make(tmp_path / "a", [("readme.txt", b"x")])
    assert_refused(archive, folder, "holds 0 of the files that are expected for .*, not some")
    archive = make(tmp_path / "b", WHOLE.items())
    assert_refused(archive, folder, "holds 3 of the files that are expected for .*, not 800", count=800)


@fault("the folder is there already", "it is left alone; one error that names it")
def test_a_folder_that_is_there_is_not_touched(tmp_path, folder, make):
    folder.mkdir(parents=True)
    (folder / "mine.png").write_bytes(b"mine")
    with pytest.raises(SrlabError, match=f"{folder} is there already"):
        unpack(make(tmp_path / "a", WHOLE.items()), folder)
    assert content_of(folder) == {"mine.png": b"mine"}


# --- damage ---


@fault("a damaged header in the middle of a tar", "one error: it is not taken for the end")
def test_a_damaged_header_of_a_tar_is_no_silent_end(tmp_path, folder):
    archive = make_tar(tmp_path / "a", WHOLE.items())
    data = bytearray(archive.read_bytes())
    data[data.index(b"set/HR/0002.png")] ^= 1
    archive.write_bytes(data)
    assert_refused(archive, folder, "breaks off")


@fault("an archive cut short, at any place", "one error, nothing written")
def test_an_archive_that_is_cut_short_is_refused(tmp_path, folder, make, record_property, quick_disk):
    data = make(tmp_path / "a", WHOLE.items()).read_bytes()
    end = len(data) if make is make_zip else data.rindex(b"read me") + 512  # a tar may go without its last zeros
    lengths = sorted({*random.Random(0).sample(range(end), 150), *range(0, end, 512), end - 1})
    record_property("times", len(lengths))
    for length in lengths:
        (tmp_path / "a").write_bytes(data[:length])
        assert_refused(tmp_path / "a", folder, "damaged or cut short|neither a zip nor a tar")


@fault("flipped bits in a zip, at any place", "one error and nothing written, or the right files")
def test_flipped_bits_in_a_zip_are_noticed(tmp_path, folder, record_property, quick_disk):
    flip_everywhere(tmp_path, folder, make_zip, record_property, lambda got: got == FILES)


@fault("flipped bits in a tar, at any place", "one error and nothing written, or files of the right names and lengths")
def test_flipped_bits_in_a_tar_end_in_one_error_or_whole_files(tmp_path, folder, record_property, quick_disk):
    # The content of a tar has no check of its own: for that there are the hashes of the catalogue.
    lengths = {name: len(content) for name, content in FILES.items()}
    flip_everywhere(
        tmp_path, folder, make_tar, record_property, lambda got: {n: len(c) for n, c in got.items()} == lengths
    )


def flip_everywhere(tmp_path, folder, make, record_property, right, times=300):
    dice = random.Random(0)
    data = make(tmp_path / "a", WHOLE.items()).read_bytes()
    heads = [i for i in range(len(data) - 60) if data[i : i + 2] == b"PK" or data[i : i + 4] == b"set/"]
    record_property("times", times)
    noticed = 0
    for turn in range(times):
        broken = bytearray(data)
        near = dice.choice(heads) + dice.randrange(60)  # half of them where the structure is
        for _ in range(dice.choice((1, 1, 2, 8))):
            broken[near if turn % 2 else dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        (tmp_path / "a").write_bytes(broken)
        try:
            unpack(tmp_path / "a", folder, count=3, limit=1 << 20)
        except SrlabError:
            noticed += 1
            assert not folder.exists()
        else:
            assert right(content_of(folder))
            shutil.rmtree(folder)
        assert not folder.parent.exists() or not any(folder.parent.iterdir())
    assert noticed > times / 4


# --- killed ---


UNPACK = """
import sys
from pathlib import Path
from srlab.data.archives import extract
archive, folder = map(Path, sys.argv[1:])
extract(archive, folder, lambda name: name.rpartition("/")[2], 15, progress=False)
"""


@fault("an unpacking process is killed (kill -9)", "no folder under the final name, and the next run is right")
def test_a_killed_process_leaves_nothing_under_the_name(tmp_path, folder, make, record_property):
    record_property("times", KILLS // 2)
    files = {f"set/HR/{i:04d}.png": random.Random(i).randbytes(20_000) for i in range(15)}
    archive = make(tmp_path / "a", files.items())
    dice = random.Random(0)
    staging = folder.parent / ".HR.unpacking"
    for _ in range(KILLS // 2):
        process = subprocess.Popen([sys.executable, "-c", UNPACK, archive, folder])
        while not staging.exists() and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(dice.random() * 0.1)
        process.kill()
        assert process.wait() in (0, -9)
        if folder.exists():  # it was faster
            assert len(content_of(folder)) == 15
        else:
            unpack(archive, folder, count=15)
        assert {f"set/HR/{name}": content for name, content in content_of(folder).items()} == files
        assert [file.name for file in folder.parent.iterdir()] == ["HR"]
        shutil.rmtree(folder)


@fault("a killed process left files of another archive behind", "removed, and not part of the folder")
def test_what_a_killed_process_left_is_removed(tmp_path, folder, make):
    (folder.parent / ".HR.unpacking").mkdir(parents=True)
    (folder.parent / ".HR.unpacking" / "old.png").write_bytes(b"old")
    unpack(make(tmp_path / "a", WHOLE.items()), folder)
    assert content_of(folder) == FILES
    assert [file.name for file in folder.parent.iterdir()] == ["HR"]


@fault("Ctrl-C while unpacking", "nothing is left, and the next run is right")
def test_ctrl_c_leaves_nothing(tmp_path, folder, make, monkeypatch):
    archive = make(tmp_path / "a", WHOLE.items())

    def interrupt(handle):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, folder)
    assert list(folder.parent.iterdir()) == []
    unpack(archive, folder)
    assert content_of(folder) == FILES
