"""A kit of the course: one folder to copy for a room without a network, with a list of its files and their hashes.

A kit is checked where nothing is installed yet, so this needs nothing but Python.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic

MANIFEST = "kit.json"
OWN = ".kit."  # how the names begin of what is beside it only while a kit is made
FORMAT = 1
NAMED = 5  # files told by name in one sentence


def check(folder: Path) -> tuple[dict[str, list[str]], int]:
    """Compare a kit with its manifest.

    Parameters
    ----------
    folder
        Of the kit.

    Returns
    -------
    differences : dict
        ``"damaged"``, ``"missing"`` and ``"extra"`` -> names of files, ``/`` between folders.
    count : int
        How many files there should be.

    Raises
    ------
    SrlabError
        It is no kit, or was never finished.
    """
    manifest = read(folder)
    if not manifest["complete"]:
        raise SrlabError(f"The kit {folder} was never finished; run make_kit.py on it where there is a network.")
    files = manifest["files"]
    damaged, missing = _compare(folder, files)
    return {"damaged": damaged, "missing": missing, "extra": _extras(folder, files)}, len(files)


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a kit: ``files`` (name -> ``bytes`` and ``sha256``), ``complete``, and what the kit is for.

    Raises
    ------
    SrlabError
        There is none, or it is damaged or of another version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise SrlabError(f"{folder} is no kit, as it has no {MANIFEST}; give the folder of a kit, or a new one.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        names = [PurePosixPath(name) for name in manifest["files"]]
        ours = (manifest["srlab"], manifest["format"], type(manifest["complete"])) == ("kit", FORMAT, bool)
        if not ours or any(name.is_absolute() or ".." in name.parts for name in names):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SrlabError(
            f"{path} is damaged or of another version of srlab; copy it again, or make a new kit."
        ) from error
    return manifest


def begun(folder: Path, here: dict[str, str]) -> dict[str, Any]:
    """What an earlier call has put into a folder: the files of the manifest that are there.

    Parameters
    ----------
    folder
        New, empty, or a kit.
    here
        Facts about this machine that a kit for it has in its manifest.

    Returns
    -------
    dict
        Name -> ``bytes`` and ``sha256``; empty for a new folder.

    Raises
    ------
    SrlabError
        The folder is something else or a kit for another machine, or a file was changed since.
    """
    if not folder.exists() or (folder.is_dir() and all(path.name.startswith(OWN) for path in folder.iterdir())):
        return {}
    manifest = read(folder)
    if changed := [f"{manifest.get(key)}, not {value}" for key, value in here.items() if manifest.get(key) != value]:
        raise SrlabError(f"{folder} is a kit for another machine ({'; '.join(changed)}); choose another folder.")
    damaged, missing = _compare(folder, manifest["files"])
    if damaged:
        raise SrlabError(
            f"In {folder} there are files that were changed since they were made: {some(damaged)}; move them away, and "
            "the same command makes them anew."
        )
    return {name: facts for name, facts in manifest["files"].items() if name not in missing}


def listed(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """What the manifest says of files: name -> ``bytes`` and ``sha256``."""
    return {name: _facts(folder / name) for name in sorted(names)}


def save(folder: Path, about: dict[str, Any], files: dict[str, Any], complete: bool) -> None:
    """Write the manifest of a kit, with some facts about it."""
    content = {"srlab": "kit", "format": FORMAT, "complete": complete} | about | {"files": files}
    write_atomic(folder / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def put(folder: Path, name: str, content: bytes, had: Collection[str]) -> None:
    """Write a file of a kit, if it is not there already.

    Parameters
    ----------
    folder, name
        Of the kit, and of the file in it.
    content
        Of the whole file.
    had
        Names that may be overwritten, as they are those of an earlier call.

    Raises
    ------
    SrlabError
        Somebody else has put another file there, or it cannot be written.
    """
    path = folder / name
    if path.is_file() and path.read_bytes() == content:
        return
    if path.exists() and name not in had:
        raise SrlabError(f"{path} is in the way of a file of the kit; move it away, and run the same command again.")
    write_atomic(path, content)


def walk(folder: Path, ignored: Sequence[str]) -> list[str]:
    """Names of all files in a folder and below, but for files and folders whose own name fits a pattern."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in ignored)]
        kept = [name for name in names if not any(fnmatch(name, pattern) for pattern in ignored)]
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in kept]
    return found


def some(names: Sequence[str]) -> str:
    """The first of some names, for a sentence."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _compare(folder: Path, files: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the files that are not as listed or cannot be read, and of those that are missing."""
    missing = [name for name in files if not (folder / name).exists()]
    damaged = []
    for name in sorted(files.keys() - set(missing)):
        try:
            same = _facts(folder / name) == files[name]
        except OSError:  # a bad sector of the stick, or a folder of that name
            same = False
        if not same:
            damaged.append(name)
    return damaged, missing


def _extras(folder: Path, known: Collection[str]) -> list[str]:
    """Names of the files that are not listed; what comes of working in the course does not count."""
    ignore = folder / "course" / ".gitignore"
    worked = ignore.read_text(encoding="utf-8").split() if ignore.is_file() else []
    found = walk(folder, [f"{OWN}*", MANIFEST, *(line.rstrip("/") for line in worked)])
    return sorted(set(found) - set(known))
