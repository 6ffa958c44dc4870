"""Bring a data set of the catalogue to the disk: download, check, unpack, and note where it came from."""

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from srlab.base import places
from srlab.base import disk
from srlab.data import catalog
from srlab.data.archives import extract
from srlab.data.catalog import SETS, File, Part
from srlab.data.downloads import download, part_length, sha256_of
from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic
from srlab.data.mirror import shown

ARCHIVES = "archives"  # folder below the data home
RECORD = "downloads.json"  # there: what was downloaded, so that a file that changes is noticed
SOURCE = "source.json"  # in the folder of a set: where it came from


def fetch(
    name: str,
    dry_run: bool = False,
    keep_archives: bool = False,
    with_lr: bool = False,
    mirrors: Sequence[str] = (),
    home: Path | None = None,
    progress: bool = True,
) -> Path:
    """Have a data set on the disk; does nothing where it is already.

    What else a downloaded archive holds is unpacked with it: Set5, Set14, BSD100 and Urban100 come in one.

    Parameters
    ----------
    name
        Of a set in `srlab.data.catalog.SETS`.
    dry_run
        Only print what there is to do.
    keep_archives
        Leave the archives in ``archives/`` below the data home. One that somebody else put there stays in any case.
    with_lr
        Also the LR images of a set to train on.
    mirrors
        Addresses under which the archives lie with their names; asked first, after ``$SRLAB_MIRROR``.
    home
        Instead of `srlab.data_home`.
    progress
        Show bars.

    Returns
    -------
    Path
        The folder to train or measure on.

    Raises
    ------
    SrlabError
        No such set, no mirror has it, it is not what it should be, or the disk is too small. What was downloaded is
        kept, and the same call goes on from there.
    """
    home = home or places.data_home()
    folder = catalog.folder_of(name, home)
    if dry_run:
        print("\n".join(describe(name, keep_archives, with_lr, home)))
    elif missing_parts(name, with_lr, home):
        with disk.one_writer(home / RECORD):
            parts = missing_parts(name, with_lr, home)  # another process may have been at it
            disk.need_room(home, _bytes_needed(parts, keep_archives, home), catalog.data_set(name).title)
            bases = [*filter(None, [os.environ.get("SRLAB_MIRROR")]), *mirrors]
            for file in _files(parts):
                _fetch_file(file, [part for part in parts if part.file == file], bases, keep_archives, home, progress)
    return folder


def missing_parts(name: str, with_lr: bool, home: Path) -> list[Part]:
    """What is to be unpacked: the parts of a set that are not there, and what else their archives hold.

    Parameters
    ----------
    name, with_lr
        As for `fetch`.
    home
        Folder of all data sets.

    Raises
    ------
    SrlabError
        No such set, or the folder of a part holds another number of images than it should.
    """
    wanted = _wanted(name, with_lr)
    missing = [part for part in wanted if not _is_there(home / part.folder, part.images)]
    files = _files(missing)
    others = [part for data_set in SETS.values() for part in data_set.parts if part.file in files]
    return missing + [
        part for part in others if part not in wanted and not part.on_request and not (home / part.folder).exists()
    ]


def describe(name: str, keep_archives: bool, with_lr: bool, home: Path) -> list[str]:
    """What `fetch` would do, in lines: archives with their sizes, folders, and the room it takes.

    Parameters
    ----------
    name, keep_archives, with_lr
        As for `fetch`.
    home
        Folder of all data sets.
    """
    parts = missing_parts(name, with_lr, home)
    lines = [f"{catalog.data_set(name).title}: {catalog.folder_of(name, home)}"]
    for file in _files(parts):
        size = "size not known" if file.size is None else disk.amount(file.size)
        archive = home / ARCHIVES / file.name
        had = part_length(archive)
        state = "there already" if archive.exists() else f"to download, {disk.amount(had)} of it are there"
        lines.append(f"  {file.name} ({size}): {state if had or archive.exists() else 'to download'}")
    wanted = _wanted(name, with_lr)
    for part in wanted:
        state = "to unpack" if part in parts else "there already"
        lines.append(f"  {home / part.folder} ({part.images} images): {state}")
    if others := dict.fromkeys(part.folder.partition("/")[0] for part in parts if part not in wanted):
        lines.append(f"  in the same archive, and unpacked too: {', '.join(others)}")
    if parts:
        room = disk.amount(_bytes_needed(parts, keep_archives, home))
        known = all(file.size is not None for file in _files(parts))
        lines.append(f"  room it takes: {room if known else 'not known before the download'}")
    return lines


def _wanted(name: str, with_lr: bool) -> list[Part]:
    return [part for part in catalog.data_set(name).parts if with_lr or not part.on_request]


def _files(parts: Sequence[Part]) -> list[File]:
    return list(dict.fromkeys(part.file for part in parts))


def _is_there(folder: Path, images: int) -> bool:
    if not folder.exists():
        return False
    found = len(list(folder.glob("*.png")))
    if found != images:
        raise SrlabError(f"{folder} holds {found} PNG files instead of {images}; move it away, and it is fetched anew.")
    return True


def _bytes_needed(parts: Sequence[Part], keep_archives: bool, home: Path) -> int:
    """Room for the archives and for what is in them; PNG files shrink no more, so that both are of one size."""
    left = []
    for file in _files(parts):
        archive = home / ARCHIVES / file.name
        had = archive.stat().st_size if archive.exists() else part_length(archive)
        left.append(max(0, (file.size or 0) - had))
    content = sum(file.size or 0 for file in _files(parts))
    return content + (sum(left) if keep_archives else max(left, default=0))  # else they go one by one


def _fetch_file(
    file: File, parts: list[Part], bases: list[str], keep_archives: bool, home: Path, progress: bool
) -> None:
    """Download one archive, and unpack these parts of it."""
    archive, record = home / ARCHIVES / file.name, _read(home / RECORD)
    known = record.get(file.name, {}).get("sha256")
    brought = archive.exists() and known is None  # by somebody else
    urls = [*(f"{base.rstrip('/')}/{file.name}" for base in bases), *file.urls]
    try:
        download(urls, archive, file.size, file.sha256 or known, progress)
    except SrlabError as error:
        if file.sha256 or not known:
            raise
        raise SrlabError(
            f"{error} (Its SHA-256 was noted when it was first downloaded, in {home / RECORD}; if the file was changed "
            "on purpose, delete that note.)"
        ) from error
    found = file.sha256 or known or sha256_of(archive)
    facts = {"from": [shown(url) for url in urls], "sha256": found, "bytes": archive.stat().st_size}
    facts["date"] = time.strftime("%Y-%m-%d")
    if not brought:
        _write(home / RECORD, record | {file.name: facts})
    if not file.sha256:
        print(f"{file.name}: nobody has stated its SHA-256; this one has {found}.")
    limit = 2 * facts["bytes"] + 1_000_000  # PNG files shrink no more, so that more is a bomb
    for part in parts:
        _note_source(part, facts, home)
        extract(archive, home / part.folder, part.place, part.images, limit, progress)
    if not (keep_archives or brought):
        archive.unlink()
        with suppress(OSError):  # there are others in it
            archive.parent.rmdir()


def _note_source(part: Part, facts: dict[str, Any], home: Path) -> None:
    """Write into the folder of a set where a part of it is from, with licence and citation."""
    data_set = next(data_set for data_set in SETS.values() if part in data_set.parts)
    path = home / Path(part.folder).parts[0] / SOURCE
    said = {"title": data_set.title, "licence": data_set.licence, "citation": data_set.citation}
    folders = _read(path).get("folders", {}) | {part.folder: {"archive": part.file.name} | facts}
    _write(path, said | {"folders": folders})


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SrlabError(f"{path} cannot be read ({error}); delete it, and it is written anew.") from error


def _write(path: Path, content: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(content, indent=1).encode())
