"""Files from the network, and the data sets of the catalogue: downloaded, checked, unpacked.

What has arrived of a file lies in ``<name>.part`` beside it; the same command goes on from there.
"""

import io
import json
import os
import re
import shutil
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import requests
from PIL import Image
from tqdm.auto import tqdm

import srlab
from srlab.base.errors import SrlabError
from srlab.base.files import amount, need_room, one_writer, publish, sha256_of, write_atomic, writing
from srlab.base.places import data_home
from srlab.base.text import printable
from srlab.data import catalog
from srlab.data.catalog import Archive, Folder

BLOCK = 1 << 16  # bytes read at a time
TIMEOUT_S = 60.0  # seconds without a byte, after which a server is asked anew
ATTEMPTS = 4  # in a row that bring less than PROGRESS bytes, before a server is given up
PROGRESS = 1 << 20
PAUSE_S = 1.0  # before the second attempt; doubled before each further one
# No encoding: bytes of a compressed answer are not those of the file, so one could not go on after them.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"srlab/{srlab.__version__}"}
# What zipfile, tarfile and the libraries below them raise on a damaged file.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


class _Trouble(Exception):
    """What a server did wrong, as words that follow its address; another attempt may help unless it is `final`."""

    def __init__(self, words: str, final: bool = False) -> None:
        super().__init__(words)
        self.final = final


def download(urls: Sequence[str], path: Path, size: int | None = None, sha256: str | None = None) -> Path:
    """Fetch a file; it appears under its name only when it is whole and checked.

    One that is there already is taken as it is. Of two processes with the same target one waits for the other.

    Parameters
    ----------
    urls
        Addresses of the same file, tried in this order.
    path
        Where to; missing folders are made.
    size
        In bytes, if known.
    sha256
        64 hexadecimal digits, or the first of them; if known.

    Returns
    -------
    Path
        The path given.

    Raises
    ------
    SrlabError
        No server had the file (the message says what was wrong with each), the disk is full or cannot be written to,
        or another file lies under the name. What has arrived is kept, unless it was wrong.
    """
    path = Path(path)
    with one_writer(path), writing(path):
        if not _is_there(path, size, sha256):
            publish(_receive(urls, path, size, sha256), path)
            _version(path).unlink(missing_ok=True)
    return path


def fetch(
    name: str,
    dry_run: bool = False,
    keep_archives: bool = False,
    with_lr: bool = False,
    home: Path | None = None,
) -> Path:
    """Have a data set on the disk; does nothing where it is already.

    What else a downloaded archive holds is unpacked with it: Set5, Set14, BSD100 and Urban100 come in one.
    ``$SRLAB_MIRROR``, an address under which the archives lie with their names, is asked first.

    Parameters
    ----------
    name
        Of a set in `srlab.data.catalog.SETS`.
    dry_run
        Only print what there is to do.
    keep_archives
        Leave the archives in ``archives/`` below the data home. One that is there already stays in any case.
    with_lr
        Also the LR images of a set to train on.
    home
        Instead of `srlab.base.places.data_home`.

    Returns
    -------
    Path
        The folder to train or measure on.

    Raises
    ------
    SrlabError
        No such set, no server has it, it is not what it should be, or the disk is too small. What was downloaded is
        kept, and the same call goes on from there.
    """
    home = home or data_home()
    folder = catalog.folder_of(name, home)
    missing = _missing(name, with_lr, home)
    if dry_run:
        print(f"{folder}: {'to make' if missing else 'there already'}")
        for archive, folders in missing.items():
            size = amount(archive.size) if archive.size else "size not known"
            print(f"  {archive.name} ({size}, of which {amount(_had(archive, home))} are there), for:")
            print("\n".join(f"    {home / folder.path} ({folder.images} images)" for folder in folders))
    elif missing:
        with one_writer(home / "archives"), writing(home):
            for archive, folders in _missing(name, with_lr, home).items():  # another process may have been at it
                _fetch_archive(archive, folders, keep_archives, home)
    return folder


def _missing(name: str, with_lr: bool, home: Path) -> dict[Archive, list[Folder]]:
    """The archives that a set still needs, each with all of its folders that are not there."""
    data_set, missing = catalog.data_set(name), {}
    for archive in data_set.archives:
        wanted = [folder for folder in archive.folders if with_lr or not folder.on_request]
        folders = [folder for folder in wanted if not (home / folder.path).exists()]
        if any(data_set.own(folder) for folder in folders):
            missing[archive] = sorted(folders, key=data_set.own)  # its own come last: until then the same call goes on
    return missing


def _fetch_archive(archive: Archive, folders: Sequence[Folder], keep: bool, home: Path) -> None:
    """Download one archive, and unpack these folders of it."""
    path = home / "archives" / archive.name
    brought = _is_there(path, archive.size, archive.sha256)  # by somebody, or kept
    if archive.size:  # for itself and what is in it: PNG files shrink no more
        need_room(home, 2 * archive.size - _had(archive, home), archive.name)
    servers = filter(None, [os.environ.get("SRLAB_MIRROR"), archive.server])
    urls = [f"{server.rstrip('/')}/{archive.name}" for server in servers]
    source = path if brought else _receive(urls, path, archive.size, archive.sha256)
    staging = home / ".unpacking"
    try:
        for folder in folders:
            _unpack(source, folder, staging)
            _publish_folder(staging, folder, home)
    except DAMAGE as error:
        if brought or archive.sha256:  # it is not ours, or certainly what the server has
            remedy = "move it away, and it is downloaded"
        else:
            remedy = "the same command downloads it anew"
            source.unlink()
        raise SrlabError(f"{source} is damaged or something else ({error}); {remedy}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if brought:
        return
    if keep:
        publish(source, path)
    else:
        source.unlink()
    _version(path).unlink(missing_ok=True)


def _unpack(source: Path, folder: Folder, staging: Path) -> None:
    """Unpack the images of one folder; the catalogue says how each is called there, never the archive.

    Raises
    ------
    SrlabError
        The archive does not hold as many images as it should.
    One of DAMAGE
        It is damaged, or an image is none.
    """
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir()
    is_zip = ".zip" in source.suffixes
    with zipfile.ZipFile(source) if is_zip else tarfile.open(source, "r:") as archive:
        if is_zip:
            members = {info.filename: info for info in archive.infolist()}
        else:
            members = {info.name: info for info in archive if info.isreg()}
        images = {folder.place(name): member for name, member in members.items() if folder.place(name)}
        if len(images) != folder.images:
            raise SrlabError(
                f"{source} holds {len(images)} images for {folder.path} instead of {folder.images}; it is another "
                "archive, so delete it, and the same command downloads it anew."
            )
        for name, member in tqdm(images.items(), desc=f"unpacking {folder.path}", unit="file"):
            content = archive.read(member) if is_zip else archive.extractfile(member).read()
            try:
                Image.open(io.BytesIO(content), formats=["PNG"]).verify()  # checks all of its checksums
            except (OSError, SyntaxError, *DAMAGE) as error:
                raise ValueError(f"{name} is no whole PNG image") from error
            (staging / name).write_bytes(content)


def _publish_folder(staging: Path, folder: Folder, home: Path) -> None:
    """Give an unpacked folder its name, and note beside it where it is from, with licence and citation."""
    data_set = next(data_set for data_set in catalog.SETS.values() if data_set.own(folder))
    archives = {archive.name: archive.server for archive in data_set.archives}
    source = {"licence": data_set.licence, "citation": data_set.citation, "archives": archives}
    target = home / folder.path
    write_atomic(home / Path(folder.path).parts[0] / "source.json", json.dumps(source, indent=1).encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    publish(staging, target)


def _receive(urls: Sequence[str], path: Path, size: int | None, sha256: str | None) -> Path:
    """Have the part of a file whole and checked; a server is tried again as long as it gets on."""
    part, failures = _part(path), []
    path.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        tries = 0
        while tries < ATTEMPTS:
            before = _length(part)
            try:
                _attempt(url, path, size, sha256)
                return part
            except _Trouble as error:
                tries = 1 if _length(part) >= before + PROGRESS else tries + 1
                if error.final or tries == ATTEMPTS:
                    failures.append(f"{_shown(url)} {error}")
                    break
                pause = PAUSE_S * 2 ** (tries - 1)
                print(f"{_shown(url)} {error}; once more in {pause:g} s.", flush=True)
                time.sleep(pause)
    kept = f"; {amount(_length(part))} are kept, and the same command goes on from there" if _length(part) else ""
    raise SrlabError(
        f"Could not download {path.name}: {'; '.join(failures)}. Check the network and try again later, or put the "
        f"file at {path} yourself{kept}."
    )


def _attempt(url: str, path: Path, size: int | None, sha256: str | None) -> None:
    """Get what is missing of a file's part, and check it."""
    part = _part(path)
    offset = _length(part)
    if not offset or offset != size:  # else only the check is missing
        try:
            size = _append(url, path, size, hashed=bool(sha256))
        except (requests.RequestException, ValueError) as error:
            raise _Trouble(f"failed ({_root(error)})", final=isinstance(error, ValueError)) from error
    length = _length(part)
    if length < size:
        raise _Trouble(f"broke off after {length} bytes")
    if length > size or (sha256 and not sha256_of(part).startswith(sha256)):
        part.unlink()  # nobody can tell which of its bytes are wrong; if some are from before, it may be those
        raise _Trouble("sent another file than expected, by its size or its SHA-256", final=not offset)


def _append(url: str, path: Path, size: int | None, hashed: bool) -> int:
    """Ask for what is missing of a file, and write it behind the part; returns the size of the whole file.

    Where no hash would tell a splice of two versions afterwards, the part is gone on with only if the server still has
    the version that it has begun with.
    """
    part, note = _part(path), _version(path)
    version = note.read_text() if note.exists() else ""
    offset = _length(part) if hashed or version else 0
    headers = HEADERS | ({"Range": f"bytes={offset}-"} if offset else {})
    if offset and not hashed:
        headers["If-Range"] = version
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        span, begins = response.headers.get("Content-Range", ""), _version_of(response)
        if offset and response.status_code == 416 and span == f"bytes */{offset}":
            return offset  # it was whole
        goes_on = response.status_code == 206
        fits = span.startswith(f"bytes {offset}-") and (hashed or begins == version)
        if response.status_code == 416 or (goes_on and not fits):
            part.unlink(missing_ok=True)
            raise _Trouble("cannot go on where it broke off")
        _refuse(response)
        offset = offset if goes_on else 0
        length = response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdigit() else size
        if total is None:
            raise _Trouble("does not say how long the file is, so it might never end", final=True)
        if size not in (None, total):
            raise _Trouble(f"has a file of {total} bytes instead of {size}", final=True)
        need_room(path.parent, total - offset, path.name)
        if not goes_on:
            part.unlink(missing_ok=True)  # before the version changes
            note.write_text(begins)
        bar = tqdm(total=total, initial=offset, desc=path.name, unit="B", unit_scale=True)
        with bar, part.open("ab") as file:
            for block in response.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
                if file.tell() > total:
                    break
    return total


def _refuse(response: requests.Response) -> None:
    """Refuse an answer that is not the file."""
    status, headers = response.status_code, response.headers
    if status not in (200, 206):
        passing = status in (408, 429) or status >= 500
        raise _Trouble(f"answered {status} {printable(response.reason)}", final=not passing)
    if "text/html" in headers.get("Content-Type", ""):
        raise _Trouble("serves a web page, perhaps a login page of the network, instead of the file", final=True)
    if headers.get("Content-Encoding", "identity") != "identity":
        raise _Trouble("sends the file compressed, which nobody asked for", final=True)


def _version_of(response: requests.Response) -> str:
    """What tells one version of a file on a server from another, as If-Range takes it; empty if it tells none."""
    tag = response.headers.get("ETag", "")
    return response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag


def _is_there(path: Path, size: int | None, sha256: str | None) -> bool:
    if not path.exists():
        return False
    wrong = not path.is_file() or size not in (None, path.stat().st_size)
    if wrong or (sha256 and not sha256_of(path).startswith(sha256)):
        raise SrlabError(f"{path} is there already, but it is another file; move it away, and it is downloaded.")
    return True


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _version(path: Path) -> Path:
    """Where it is noted which version of a file on the server its part is of."""
    return path.with_name(f"{path.name}.version")


def _had(archive: Archive, home: Path) -> int:
    path = home / "archives" / archive.name
    return _length(path) or _length(_part(path))


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _shown(url: str) -> str:
    """An address, or words with one, without user, password and query: these are nobody's business in a message."""
    return printable(re.sub(r"//[^/]*@", "//", url).partition("?")[0])


def _root(error: BaseException) -> str:
    """The first cause in words: what requests wraps around it names its own innards."""
    while error.__context__ is not None:
        error = error.__context__
    return _shown(getattr(error, "strerror", None) or str(error))
