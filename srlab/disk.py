"""What a large file asks of the disk: room, one writer at a time, and a name only once it is whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from srlab.errors import SrlabError
from srlab.files import ADVICE, sync_folder

MARGIN = 64_000_000  # bytes that stay free: a disk filled to the last byte breaks more than a download


def amount(count: float) -> str:
    """A number of bytes for people: ``"3.53 GB"``."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} bytes"


def need_room(folder: Path, count: int, what: str) -> None:
    """Check that a folder's disk takes so many bytes more, before the first is written.

    Parameters
    ----------
    folder
        Where they go; it need not exist yet.
    count
        Bytes.
    what
        They are for, to begin the message with.

    Raises
    ------
    SrlabError
        There is too little room; the message says how much is missing.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    missing = count + MARGIN - shutil.disk_usage(there).free
    if missing > 0:
        raise SrlabError(
            f"{what} needs {amount(count)}, and the disk of {folder} has {amount(missing)} too little free; {ADVICE}."
        )


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Hold a file or folder for this process; a second process waits. The lock ends with the process that holds it.

    Raises
    ------
    SrlabError
        The folder it lies in cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"Another process is at work on {path}; waiting for it.", flush=True)
            lock.acquire()
    except (OSError, NotImplementedError) as error:  # the second: a network disk without locks
        reason = getattr(error, "strerror", None) or error
        raise SrlabError(f"Cannot write into {path.parent} ({reason}); choose a folder that you own.") from error
    try:
        yield
    finally:
        lock.release()


def publish(part: Path, path: Path) -> None:
    """Give a finished file or folder its name, in a way that outlives a power cut."""
    if part.is_file():
        with part.open("rb+") as file:
            os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)
