"""Write files atomically, and lock them."""

import errno
import functools
import hashlib
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from srlab.errors import SrlabError
from srlab.paths import exists

# What to do about an error of the system, after its number; for other errors, check the path.
ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some space or choose another folder")
ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a folder that you may write to")
LEFT_AFTER_S = 86400.0  # a part that has not grown for a day was left by a killed process
# Windows refuses to rename or delete a file that a virus scanner or a sync client has open, usually for a moment.
BUSY_ON_WINDOWS = (5, 32, 33)
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.6, 0.7)


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
    killed, the unfinished file stays until a process writes into that folder a day later.

    A replaced file hands its mode and group to the new one. A symlink stays, and the file it points to is replaced.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".srlab-{secrets.token_hex(8)}.part")
    with writing(path, where):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _delete_leftovers(target.parent)
            with part.open("xb") as file:
                if exists(target):
                    _look_like(target, part)
                yield file
                file.flush()
                os.fsync(file.fileno())
            _move(part, target)
        except BaseException:  # also Ctrl-C
            with suppress(OSError):  # the part may not exist, or its folder may be a file
                part.unlink()
            raise


def _look_like(old: Path, part: Path) -> None:
    """Give a new, still empty file the mode and the group of the file that it will replace, and as root its owner."""
    status = old.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if sys.platform == "win32":
        return
    mode = stat.S_IMODE(status.st_mode)
    for owner, group in ((status.st_uid, -1), (-1, status.st_gid)):
        with suppress(OSError):  # only root may change the owner, and the group only to one of its own
            os.chown(part, owner, group)
    part.chmod(mode if part.stat().st_gid == status.st_gid else mode & ~stat.S_IRWXG)


@functools.cache  # once per folder, because listing thousands of files at each write would take minutes
def _delete_leftovers(folder: Path) -> None:
    """Delete the unfinished files of processes that were killed; those of other accounts may stay."""
    with suppress(OSError):
        for left in folder.glob(".srlab-*.part"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > LEFT_AFTER_S:
                    left.unlink()


def refuse_existing(path: Path, force: bool = False) -> None:
    """Reject a path that exists, unless `force` is set; call it before the work whose result goes there."""
    if exists(path) and not force:
        raise SrlabError(
            f"{path} already exists. Move it elsewhere, or overwrite it with --force (in Python, with force=True)."
        )


def publish(folder: Path, path: Path) -> None:
    """Rename a finished folder of files to its final name once all content is on disk."""
    for content in folder.iterdir():
        with content.open("rb+") as file:
            os.fsync(file.fileno())
    _move(folder, path)


def _move(part: Path, path: Path) -> None:
    """Rename a file or folder whose content is on disk, and flush its new name."""
    patiently(lambda: part.replace(path))
    # If the system and the disk cannot flush a folder (Windows, shared folders of virtual machines, some network
    # disks), the file is complete anyway.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def patiently(action: Callable[[], object]) -> None:
    """Rename or delete something, on Windows again for two seconds while another program has the file open."""
    for pause in PAUSES_S if sys.platform == "win32" else ():
        try:
            action()
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in BUSY_ON_WINDOWS:
                raise
            time.sleep(pause)
    action()


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
