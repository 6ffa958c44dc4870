"""Files from the network, and the data sets of the catalogue: downloaded, checked, unpacked.

What has arrived of a file lies in ``<name>.part`` beside it; the same command goes on from there.
"""

import json
import os
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from tqdm.auto import tqdm
from urllib3.util import Retry

import srlab
from srlab.base.errors import SrlabError
from srlab.base.files import amount, need_room, one_writer, publish, sha256_of, write_atomic, writing
from srlab.base.places import data_home
from srlab.base.text import printable
from srlab.data import catalog
from srlab.data.catalog import Archive, Folder

BLOCK = 1 << 16  # bytes read at a time
TIMEOUT_S = 60.0  # seconds without a byte, after which a server is asked anew
BUSY = (429, 500, 502, 503, 504)  # answers after which a server is asked again
RETRIES = Retry(3, backoff_factor=1.0, status_forcelist=BUSY, respect_retry_after_header=False)  # may say hours
# No encoding: bytes of a compressed answer are not those of the file, so one could not go on after them.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"srlab/{srlab.__version__}"}
# What zipfile, tarfile and the libraries below them raise on a damaged file.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


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
        if (found := _have(urls, path, size, sha256)) != path:
            publish(found, path)
    return path


def fetch(name: str, home: Path | None = None) -> Path:
    """Have a data set on the disk; does nothing where it is already.

    What else a downloaded archive holds is unpacked with it: Set5, Set14, BSD100 and Urban100 come in one.
    ``$SRLAB_MIRROR``, an address under which the archives lie with their names, is asked first. An archive that
    somebody has put into ``archives/`` below the data home is used and stays there; one that was downloaded goes.

    Parameters
    ----------
    name
        Of a set in `srlab.data.catalog.SETS`.
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
    if _missing(name, home):
        with one_writer(home / "archives"), writing(home):
            for archive, folders in _missing(name, home).items():  # another process may have been at it
                _fetch_archive(archive, folders, home)
    return catalog.folder_of(name, home)


def _missing(name: str, home: Path) -> dict[Archive, list[Folder]]:
    """The archives that a set still needs, each with all of its folders that are not there."""
    data_set, missing = catalog.data_set(name), {}
    for archive in data_set.archives:
        folders = [folder for folder in archive.folders if not (home / folder.path).exists()]
        if any(data_set.own(folder) for folder in folders):
            missing[archive] = sorted(folders, key=data_set.own)  # its own come last: until then the same call goes on
    return missing


def _fetch_archive(archive: Archive, folders: Sequence[Folder], home: Path) -> None:
    """Download one archive, and unpack these folders of it."""
    path = home / "archives" / archive.name
    if archive.size:  # for itself and what is in it: PNG files shrink no more
        need_room(home, 2 * archive.size - (_length(path) or _length(_part(path))), archive.name)
    servers = filter(None, [os.environ.get("SRLAB_MIRROR"), archive.server])
    urls = [f"{server.rstrip('/')}/{archive.name}" for server in servers]
    source = _have(urls, path, archive.size, archive.sha256)
    staging = home / ".unpacking"
    try:
        for folder in folders:
            _unpack(source, folder, staging)
            _publish_folder(staging, folder, home)
    except DAMAGE as error:
        raise SrlabError(
            f"{source} is damaged or something else ({error}); move it away, and the same command downloads it anew."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if source != path:
        source.unlink()


def _unpack(source: Path, folder: Folder, staging: Path) -> None:
    """Unpack the images of one folder; the catalogue says how each is called there, never the archive.

    Raises
    ------
    SrlabError
        The archive does not hold as many images as it should.
    One of DAMAGE
        It is damaged.
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
                "archive, so move it away, and the same command downloads it anew."
            )
        for name, member in tqdm(images.items(), desc=f"unpacking {folder.path}", unit="file"):
            content = archive.read(member) if is_zip else archive.extractfile(member).read()
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


def _have(urls: Sequence[str], path: Path, size: int | None, sha256: str | None) -> Path:
    """The file where it is there already, else its part, whole and checked, from the first server that has it."""
    if path.exists():
        if not _is_right(path, size, sha256):
            raise SrlabError(f"{path} is there already, but it is another file; move it away, and it is downloaded.")
        return path
    part, failures = _part(path), []
    path.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            _append(url, part, size)
        except requests.RequestException as error:
            failures.append(f"{_shown(url)} failed ({_root(error)})")
            continue
        if _is_right(part, size, sha256):
            return part
        part.unlink()  # nobody can tell which of its bytes are wrong
        failures.append(f"{_shown(url)} sent another file than expected, by its size or its SHA-256")
    kept = f"; {amount(_length(part))} are kept, and the same command goes on from there" if _length(part) else ""
    raise SrlabError(
        f"Could not download {path.name}: {'; '.join(failures)}. Check the network and try again later, or put the "
        f"file at {path} yourself{kept}."
    )


def _append(url: str, part: Path, size: int | None) -> None:
    """Get what is missing of a file; where the connection breaks, it is asked for again as long as that brings more."""
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
        while _length(part) != size:  # else only the check is missing
            had = _length(part)
            try:
                _ask(session, url, part, size)
                return
            except requests.RequestException:
                if _length(part) <= had:
                    raise
                print(f"{_shown(url)} broke off after {amount(_length(part))}; going on from there.", flush=True)


def _ask(session: requests.Session, url: str, part: Path, size: int | None) -> None:
    """Ask once for what is missing of a file, and write it behind the part."""
    offset = _length(part)
    headers = HEADERS | ({"Range": f"bytes={offset}-"} if offset else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if offset and response.status_code == 416:  # there is no more
            if response.headers.get("Content-Range", f"/{offset}").endswith(f"/{offset}"):
                return  # it was whole, which the check will tell
            part.unlink()  # of a longer file than the server has
            raise requests.RequestException("what was kept is longer than its file; the same command begins anew")
        if response.status_code not in (200, 206):
            raise requests.RequestException(f"it answered {response.status_code} {response.reason}")
        if "text/html" in response.headers.get("Content-Type", ""):
            raise requests.RequestException("a web page instead of the file, perhaps a login page of the network")
        goes_on = response.status_code == 206
        offset = offset if goes_on else 0
        total = offset + int(response.headers.get("Content-Length", 0))
        need_room(part.parent, total - offset, part.stem)
        bar = tqdm(total=total, initial=offset, desc=part.stem, unit="B", unit_scale=True)
        with bar, part.open("ab" if goes_on else "wb") as file:
            for block in response.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))


def _is_right(path: Path, size: int | None, sha256: str | None) -> bool:
    """Whether a file is the one that was asked for, as far as anything is known of that."""
    return (
        path.is_file()
        and (size is None or path.stat().st_size == size)
        and (sha256 is None or sha256_of(path).startswith(sha256))
    )


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


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
