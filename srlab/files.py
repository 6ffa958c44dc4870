"""Write files atomically, and lock them."""

import errno
import hashlib
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import psutil
from filelock import FileLock, Timeout

from srlab.errors import SrlabError
from srlab.paths import exists

# What to do about an error of the system, after its number; for other errors, check the path.
ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some space or choose another folder")
ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a folder that you may write to")


def write_atomic(path: Path, content: bytes, where: str = "") -> None:
    """Write a file that appears under its name only when it is complete and on disk.

    Missing folders are created. After an error an existing file is unchanged. `where` ends the advice of the error
    message: how another folder can be chosen, such as ``"with SRLAB_HOME"``.
    """
    with open_atomic(path, where) as file:
        file.write(content)


@contextmanager
def open_atomic(path: Path, where: str = "") -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when it is complete and on disk.

    Until then it has another name in the same folder, which no other call uses. So several processes or threads can
    write the same file, and the last one to finish wins. An error deletes the unfinished file. If the process is
    killed, the file stays until the same machine writes into that folder again.
    """
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    part = path.with_name(f".{machine}-{os.getpid()}-{secrets.token_hex(4)}.part")
    with writing(path, where):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in path.parent.glob(f".{machine}-*.part"):
                if not psutil.pid_exists(int(left.name.split("-")[1])):
                    left.unlink(missing_ok=True)
            with part.open("xb") as file:
                yield file
            publish(part, path)
        except BaseException:  # also Ctrl-C
            with suppress(OSError):  # the part may not exist, or its folder may be a file
                part.unlink()
            raise


def refuse_existing(path: Path, force: bool = False) -> None:
    """Reject a path that exists, unless `force` is set; call it before the work whose result goes there."""
    if exists(path) and not force:
        raise SrlabError(
            f"{path} already exists. Move it elsewhere, or overwrite it with --force (in Python, with force=True)."
        )


def publish(part: Path, path: Path) -> None:
    """Rename a finished file, or a folder of files, to its final name once all content is on disk."""
    for content in part.iterdir() if part.is_dir() else [part]:
        with content.open("rb+") as file:
            os.fsync(file.fileno())
    part.replace(path)
    # Also flush the name, if the system and the disk can flush a folder. If not (Windows, shared folders of virtual
    # machines, some network disks), the file is complete anyway.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def writing(path: Path, where: str = "") -> Iterator[None]:
    """Turn an OSError in the block into an SrlabError that names `path`, the cause, and what to do (`where`)."""
    try:
        yield
    except OSError as error:
        advice = f"{ADVICE.get(error.errno, 'Check the path')} {where}".rstrip()
        raise SrlabError(
            f"Could not write {path} ({error.strerror or error}). {advice}. Everything saved before is intact."
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def lock(path: Path, advice: str, busy: str = "", patience: float = 0.0) -> Iterator[None]:
    """Hold a lock file during the block; the system releases it when the process ends, even if it is killed.

    If another process still holds the lock after `patience` seconds, raise an error with the message `busy`. If `busy`
    is empty, print a message and wait. `advice` is the end of the error message for a folder that is not writable.
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
            print(f"Another process is working on {what}. Waiting for it.", flush=True)
            held.acquire()
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a network file system without locks
        reason = getattr(error, "strerror", None) or error
        raise SrlabError(f"Cannot write to {path.parent} ({reason}). {advice}.") from error
    try:
        yield
    finally:
        held.release()


def one_writer(path: Path) -> AbstractContextManager[None]:
    """Let only this process create a file or folder during the block; a second process waits."""
    return lock(path.with_name(f".{path.name}.lock"), "Choose a folder that you own")
