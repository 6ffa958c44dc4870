"""Download the datasets in the catalog, and unpack their images."""

import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm.auto import tqdm

from srlab.data import catalog
from srlab.data.catalog import Archive, DataSet
from srlab.downloading import download
from srlab.errors import SrlabError
from srlab.files import lock, patiently, publish, sha256_of, writing
from srlab.paths import data_home

UNFOLDED = 2  # PNG files are compressed already, so an archive is about as large as its images
MAX_PAX = 100  # entries for a whole tar file, which each member copies
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Errors that zipfile, tarfile and the libraries below them raise for a damaged file.
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    LookupError,
    ValueError,
)


def fetch(name: str, home: Path | None = None) -> Path:
    """Download and unpack a dataset if it is missing, and return its folder to train or evaluate on.

    Other datasets in the same archive are also unpacked. An archive that you put into ``archives/`` in the data home
    is used without a download, and never changed or deleted. A downloaded archive is deleted. A second process waits
    for the first. After an error, the same call resumes.
    """
    home, data_set = home or data_home(), catalog.data_set(name)
    if _missing(data_set, home):
        with lock(home / "archives" / "downloading.lock"), writing(home):
            for archive in _missing(data_set, home):  # another process may have unpacked some
                _fetch_archive(archive, home)
    return home / data_set.folder


def _missing(data_set: DataSet, home: Path) -> list[Archive]:
    """Return the archives that contain missing folders of a dataset."""
    own = f"{data_set.folder.partition('/')[0]}/"
    return [
        archive
        for archive in data_set.archives
        if any(folder.startswith(own) and not (home / folder).exists() for folder, *_ in archive.folders)
    ]


def _fetch_archive(archive: Archive, home: Path) -> None:
    """Download an archive if it is not there, and unpack its missing folders."""
    yours, staging = home / "archives" / archive.url.rpartition("/")[2], home / ".unpacking"
    path = yours if yours.exists() else yours.with_name(f"downloaded-{yours.name}")
    if not path.exists():
        download(archive.url, path, archive.sha256, yours)
    try:
        if path == yours and archive.sha256 and sha256_of(path) != archive.sha256:
            raise ValueError(f"its SHA-256 is not that of the file at {archive.url}")
        for folder, source, images in archive.folders:
            if not (home / folder).exists():
                _unpack(path, source, images, staging)
                (home / folder).parent.mkdir(parents=True, exist_ok=True)
                publish(staging, home / folder)
    except DAMAGE as error:
        raise SrlabError(f"{path} is damaged ({error}). Move it elsewhere and run the same command again.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if path != yours:
        patiently(path.unlink)


def _members_of(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar file; a size below 0 could lead back to the same header, again and again."""
    for member in archive:
        if archive.offset <= member.offset or len(archive.pax_headers) > MAX_PAX:
            raise ValueError("its headers are damaged")
        yield member


def _unpack(path: Path, source: str, images: int, staging: Path) -> None:
    """Unpack the PNG files in one folder of an archive; only their plain names come from the archive.

    Nothing is unpacked if their number is wrong, or if they need more disk than `UNFOLDED` archives.
    """
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed process
    staging.mkdir()
    zipped = path.suffix == ".zip"
    archive: Any  # a zip file and a tar file have the same methods under other names
    # Without "r:" a tar file could be compressed, and one megabyte of it could have a header of one gigabyte.
    with zipfile.ZipFile(path) if zipped else tarfile.open(path, "r:") as archive:
        # zipfile unpacks what is compressed otherwise in steps of any size.
        plain = (lambda member: member.compress_type in PLAIN) if zipped else tarfile.TarInfo.isreg
        found: dict[str, Any] = {}
        for member in filter(plain, archive.infolist() if zipped else _members_of(archive)):
            place = PurePosixPath(member.filename if zipped else member.name)
            if place.parent.match(source) and re.fullmatch(r"[\w-]{1,100}\.png", place.name):
                found[place.name.replace("x4.png", ".png")] = member  # LR is named 0801x4.png
        if len(found) != images:
            raise ValueError(f"it has {len(found)} images in {source} instead of {images}")
        sizes = [one.file_size if zipped else one.size for one in found.values()]
        if sum(map(abs, sizes)) > UNFOLDED * path.stat().st_size:  # a tar file may state a size below 0
            raise ValueError(f"its images in {source} unfold to more than {UNFOLDED} times its size")
        opened = archive.open if zipped else archive.extractfile
        for name, member in tqdm(found.items(), f"unpacking {source}"):
            with opened(member) as packed, (staging / name).open("wb") as file:
                shutil.copyfileobj(packed, file)
