"""Files that are either whole or not there: atomic writes, locks, room for them, tensors with notes as safetensors."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from srlab.base.errors import SrlabError

ADVICE = "free some space or choose another folder"
MARGIN = 64_000_000  # bytes that stay free: a disk filled to the last byte breaks more than a download


def write_atomic(path: Path, content: bytes, advice: str = ADVICE) -> None:
    """Write a file that appears under its name only when it is complete and on the disk.

    Parameters
    ----------
    path
        Where to write; missing folders are made.
    content
        All bytes of the file.
    advice
        What to do when it cannot be written, for the message.

    Raises
    ------
    SrlabError
        No space or no permission; a file of that name from before is left as it was.
    """
    with open_atomic(path, advice) as file:
        file.write(content)


@contextmanager
def open_atomic(path: Path, advice: str = ADVICE) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when it is complete and on the disk.

    Until then it is ``.<name>.part`` in the same folder, which stays there if the process is killed and is overwritten
    the next time. Only one process may write a file at a time.

    Parameters
    ----------
    path, advice
        As for `write_atomic`.

    Raises
    ------
    SrlabError
        As for `write_atomic`. Whatever is raised while the file is open leaves no file behind either.
    """
    part = path.with_name(f".{path.name}.part")
    with writing(path, advice):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield file
            publish(part, path)
        except BaseException:  # also Ctrl-C
            with suppress(OSError):  # there may be no part, or its folder may be none
                part.unlink()
            raise


def refuse_existing(path: Path, force: bool | None = None) -> None:
    """Refuse a path where a file is already, unless it may be replaced: best called before the work that fills it.

    Parameters
    ----------
    path
        Where to write; a folder with nothing in it is as good as none.
    force
        Whether the user has said that it may be replaced; None where nobody can say so.

    Raises
    ------
    SrlabError
        Something is there, and `force` is not given.
    """
    if path.exists() and not force and not (path.is_dir() and not any(path.iterdir())):
        way = "remove it" if force is None else "add --force (force=True) to replace it"
        raise SrlabError(f"{path} exists already; choose another name, or {way}.")


def publish(part: Path, path: Path) -> None:
    """Give a finished file, or a folder of files, its name once all content is on the disk.

    The name itself is on the disk then, too, where a folder can be flushed: not on Windows.
    """
    for content in part.iterdir() if part.is_dir() else [part]:
        with content.open("rb+") as file:
            os.fsync(file.fileno())
    part.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def writing(path: Path, advice: str = ADVICE) -> Iterator[None]:
    """Say in one sentence that a file or folder could not be written, and what to do.

    Parameters
    ----------
    path
        What is written in the block.
    advice
        What to do when it cannot be.

    Raises
    ------
    SrlabError
        Instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise SrlabError(
            f"Could not write {path} ({error.strerror or error}); {advice}. What was saved before is intact."
        ) from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file: 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_safetensors(
    path: Path, tensors: dict[str, torch.Tensor], notes: dict[str, Any], advice: str = ADVICE
) -> None:
    """Write tensors and JSON-able notes as one safetensors file, atomically; equal content gives equal bytes.

    Parameters
    ----------
    path, advice
        As for `write_atomic`.
    tensors
        By name, on any device.
    notes
        What JSON can hold.

    Raises
    ------
    SrlabError
        As for `write_atomic`.
    """
    # All notes under one key: the order of several keys in the file's header would be random.
    # Copies, because a layer that a network uses twice has two names, and safetensors refuses shared memory.
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    metadata = {"srlab": json.dumps(notes, sort_keys=True)}
    write_atomic(path, save(tensors, metadata), advice)


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `write_safetensors` wrote, or another program; such a file has no notes.

    Raises
    ------
    SrlabError
        The file is missing or cut short.
    """
    if not path.is_file():
        raise SrlabError(f"There is no weights file {path}; run the lab that makes it first.")
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {}).get("srlab", "{}"))
            if not isinstance(notes, dict):
                raise ValueError("its notes have no names")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError, ValueError) as error:
        raise SrlabError(f"The weights file {path} is damaged or cut short ({error}); replace it.") from error
    return tensors, notes


def all_finite(tensors: dict[str, torch.Tensor]) -> bool:
    """Whether no floating-point tensor holds NaN or infinity."""
    return all(bool(value.isfinite().all()) for value in tensors.values() if value.is_floating_point())


@contextmanager
def lock(path: Path, advice: str, busy: str = "", patience: float = 0.0) -> Iterator[None]:
    """Hold what a lock file stands for; the system lets go of it when the process dies, however it dies.

    Parameters
    ----------
    path
        Of the lock file; its folder is made if it is missing.
    advice
        What to do when the folder cannot be written to.
    busy
        What to say when another process holds it. If empty, say that this one waits, and wait.
    patience
        Seconds after which another process is said to hold it.

    Raises
    ------
    SrlabError
        Another process holds it (with `busy`), or the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path)
        try:
            held.acquire(timeout=patience)
        except Timeout as error:
            if busy:
                raise SrlabError(busy) from error
            what = path.with_name(path.name.removeprefix(".").removesuffix(".lock"))
            print(f"Another process is at work on {what}; waiting for it.", flush=True)
            held.acquire()
    except (OSError, NotImplementedError) as error:  # the second: a network disk without locks
        reason = getattr(error, "strerror", None) or error
        raise SrlabError(f"Cannot write into {path.parent} ({reason}); {advice}.") from error
    try:
        yield
    finally:
        held.release()


def one_writer(path: Path) -> AbstractContextManager[None]:
    """Hold a file or folder for this process while it is made; a second process waits.

    Raises
    ------
    SrlabError
        The folder it lies in cannot be made or written to.
    """
    return lock(path.with_name(f".{path.name}.lock"), "choose a folder that you own")


def check_writable(folder: Path, advice: str) -> None:
    """Check that files can be written into a folder, or into the next one above it that is there; none is left.

    Parameters
    ----------
    folder
        It need not exist yet, and is not made: several processes may ask at once.
    advice
        What to do when it cannot be written to.

    Raises
    ------
    SrlabError
        There is a file or a dead link in the way, or no permission, or no room.
    """
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        raise SrlabError(f"Cannot write into {there} ({error.strerror or error}); {advice}.") from error


def amount(count: float) -> str:
    """A number of bytes for people: ``"3.53 GB"``."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} bytes"


def need_room(folder: Path, count: int, what: str, advice: str = ADVICE) -> None:
    """Check that a folder's disk takes so many bytes more, before the first is written.

    Parameters
    ----------
    folder
        Where they go; it need not exist yet.
    count
        Bytes.
    what
        Names what needs the room; the message begins with it.
    advice
        What to do when there is too little; the message ends with it.

    Raises
    ------
    SrlabError
        There is too little room; the message says how much is missing.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    missing = count + MARGIN - shutil.disk_usage(there).free
    if missing > 0:
        raise SrlabError(
            f"{what} needs {amount(count)}, and the disk of {folder} has {amount(missing)} too little free; {advice}."
        )
