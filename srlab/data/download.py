"""Download the datasets in the catalog, resume after an interruption, and unpack their images."""

import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import requests
from tqdm.auto import tqdm

from srlab.data import catalog
from srlab.data.catalog import Archive, DataSet, Folder
from srlab.errors import SrlabError
from srlab.files import lock, patiently, publish, sha256_of, writing
from srlab.paths import data_home

BLOCK = 1 << 16  # bytes read at a time
TIMEOUT_S = 60.0  # seconds without a byte, after which a download fails
# Errors that zipfile, tarfile and the libraries below them raise for a damaged file.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


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
    return [
        archive
        for archive in data_set.archives
        if any(data_set.owns(folder) and not (home / folder.path).exists() for folder in archive.folders)
    ]


def _fetch_archive(archive: Archive, home: Path) -> None:
    """Download an archive if it is not there, and unpack its missing folders."""
    yours, staging = home / "archives" / archive.url.rpartition("/")[2], home / ".unpacking"
    path = yours if yours.exists() else yours.with_name(f"downloaded-{yours.name}")
    if not path.exists():
        try:
            _download(archive.url, path)
        except requests.RequestException as error:
            cause: BaseException = error
            while cause.__context__ is not None:  # the outer errors describe the libraries
                cause = cause.__context__
            raise SrlabError(
                f"Could not download {archive.url} ({getattr(cause, 'strerror', None) or cause}). Check the network "
                f"and run the same command again to resume, or put the file at {yours} yourself."
            ) from error
    try:
        if archive.sha256 and sha256_of(path) != archive.sha256:
            raise ValueError(f"its SHA-256 is not that of the file at {archive.url}")
        for folder in archive.folders:
            if not (home / folder.path).exists():
                _unpack(path, folder, staging)
                (home / folder.path).parent.mkdir(parents=True, exist_ok=True)
                publish(staging, home / folder.path)
    except DAMAGE as error:
        raise SrlabError(f"{path} is damaged ({error}). Move it elsewhere and run the same command again.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if path != yours:
        patiently(path.unlink)


def _download(url: str, path: Path) -> None:
    """Download to ``<name>.part``, from the byte where an earlier attempt stopped, and rename the complete file."""
    part = path.with_name(f"{path.name}.part")
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if response.status_code == 416:
            part.unlink()  # not shorter than the server's file, so the next attempt begins again
        response.raise_for_status()
        start = have if response.status_code == 206 else 0
        total = start + int(response.headers.get("Content-Length", 0))
        bar = tqdm(total=total, initial=start, desc=path.name, unit="B", unit_scale=True)
        with bar, part.open("ab" if start else "wb") as file:
            for block in response.iter_content(BLOCK):
                bar.update(file.write(block))
    patiently(lambda: part.replace(path))


def _unpack(path: Path, folder: Folder, staging: Path) -> None:
    """Unpack the images of one folder; the catalog sets the destination, not the archive."""
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed process
    staging.mkdir()
    for name, content in tqdm(_read_images(path, folder.source), f"unpacking {folder.path}", folder.images):
        if folder.path.endswith("LRx4"):
            name = name.replace("x4.png", ".png")  # 0801x4.png belongs to 0801.png
        (staging / name).write_bytes(content)
    if (count := len(list(staging.iterdir()))) != folder.images:
        raise ValueError(f"it has {count} images for {folder.path} instead of {folder.images}")


def _read_images(path: Path, source: str) -> Iterator[tuple[str, bytes]]:
    """Yield the plain names and the contents of the PNG files in one folder of a ZIP or TAR archive."""

    def name_of(member: str) -> str:
        place = PurePosixPath(member)
        return place.name if place.parent.match(source) and re.fullmatch(r"[\w-]+\.png", place.name) else ""

    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from ((name, archive.read(member)) for member in archive.namelist() if (name := name_of(member)))
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isreg() and (name := name_of(member.name)):
                    yield name, archive.extractfile(member).read()
