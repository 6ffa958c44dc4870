"""What large work on the disk asks of it: room, and one process at a time."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from srlab.base.errors import SrlabError
from srlab.base.files import ADVICE

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
def lock(path: Path, advice: str, busy: str = "") -> Iterator[None]:
    """Hold what a lock file stands for; the system lets go of it when the process dies, however it dies.

    Parameters
    ----------
    path
        Of the lock file; its folder is made if it is missing.
    advice
        What to do when the folder cannot be written to.
    busy
        What to say when another process holds it. Without, this one says that it waits, and does.

    Raises
    ------
    SrlabError
        Another process holds it (with `busy`), or the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path)
        try:
            held.acquire(timeout=0)
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
