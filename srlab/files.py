"""Write files atomically, and lock them."""

import errno
import hashlib
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from srlab.errors import SrlabError
from srlab.paths import exists
from srlab.text import printable

# What to do about an error of the system, after its number; for other errors, check the path.
ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some space or choose another folder")
ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a folder that you may write to")
RECORD = ".srlab-written"  # lists what `write_own` has written into the same folder
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.6, 0.7)  # between attempts on Windows


class PlaceError(SrlabError):
    """A disk or folder that no file can be written to, unlike an error about a single file."""


def write_atomic(path: Path, content: bytes | memoryview, where: str = "", replace: bool = True) -> None:
    """Write a file that appears under its name only when it is complete and on disk.

    Missing folders are created. After an error an existing file is unchanged. `where` ends the advice of the error
    message: how another folder can be chosen, such as ``"with SRLAB_HOME"``. `replace` is as in `open_atomic`.
    """
    with open_atomic(path, where, replace) as file:
        file.write(content)


@contextmanager
def open_atomic(path: Path, where: str = "", replace: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when it is complete and on disk.

    Until then it has another name in the same folder, ``.srlab-*.part``, which no other call uses. So several processes
    or threads can write the same file, and the last one to finish wins. An error deletes the unfinished file; a killed
    process leaves it, and you may delete it.

    A replaced file hands its mode and group to the new one, if the disk has these. A symlink stays, and the file it
    points to is replaced. Without `replace`, a file that exists by the end is an error.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".srlab-{secrets.token_hex(8)}.part")
    with writing(path, where):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:
                if exists(target):
                    _look_like(target, part)
                yield file
                file.flush()
                os.fsync(file.fileno())
            _move(part, target, replace)
        except BaseException:  # also Ctrl-C
            with suppress(OSError):  # the part may not exist, or its folder may be a file
                part.unlink()
            raise


def _look_like(old: Path, part: Path) -> None:
    """Give a new, still empty file the mode and the group of the file that it will replace, where the disk has them."""
    status = old.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    with suppress(OSError, AttributeError):  # the group may not be one of yours, and Windows has none
        os.chown(part, -1, status.st_gid)
    same = part.stat().st_gid == status.st_gid
    with suppress(OSError):  # Windows shares have no modes
        part.chmod(stat.S_IMODE(status.st_mode) & (0o777 if same else 0o707))


def refuse_existing(path: Path, force: bool | None = None) -> None:
    """Reject a path that exists, unless `force` is set; call it before the work whose result goes there.

    None is for callers that never overwrite a file.
    """
    if os.path.lexists(path) and not force:  # also a link that leads nowhere
        way = "" if force is None else ", or overwrite it with --force (in Python, with force=True)"
        raise SrlabError(f"{path} already exists. Move it elsewhere{way}.")


def write_own(path: Path, content: bytes) -> None:
    """Write a file that later calls replace, under a name that srlab chooses; see `refuse_foreign`."""
    refuse_foreign(path)
    note(path, hashlib.sha256(content).hexdigest())  # before the file, in case this process is killed
    write_atomic(path, content)


def refuse_foreign(path: Path) -> None:
    """Reject a path whose file is not exactly what `write_own` wrote there: it is a link or another one, or changed."""
    with writing(path):
        if link := next(
            (one for one in (path, path.with_name(RECORD)) if one.is_symlink()), None
        ):  # to any file of yours
            raise SrlabError(f"{link} is a link, so srlab does not write to it. Move it elsewhere first.")
        if not exists(path):
            return
        known = path.is_file() and is_noted(path, sha256_of(path))
    if not known:
        raise SrlabError(f"srlab did not write {path}, or it has been changed since then. Move it elsewhere first.")


def note(path: Path, digest: str, where: str = "") -> None:
    """Note in a folder's record that srlab writes a file with this SHA-256 there. For `where`, see `open_atomic`."""
    record = path.with_name(RECORD)
    with writing(record, where):
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a", encoding="utf-8", errors="surrogateescape") as lines:
            lines.write(_line(digest, path))


def is_noted(path: Path, digest: str) -> bool:
    """Return whether the record of a folder has a file of this name with this SHA-256."""
    record = path.with_name(RECORD)
    return exists(record) and _line(digest, path) in record.read_text("utf-8", "surrogateescape")


def _line(digest: str, path: Path) -> str:
    """Return a line of the record, in the format of the program ``sha256sum``."""
    return f"{digest}  {path.name}\n"


def publish(folder: Path, path: Path) -> None:
    """Rename a finished folder of files to its final name once all content is on disk."""
    for content in folder.iterdir():
        with content.open("rb+") as file:
            os.fsync(file.fileno())
    _move(folder, path)


def _move(part: Path, path: Path, replace: bool = True) -> None:
    """Rename a file or folder whose content is on disk, and flush its new name."""
    if replace or not _linked(part, path):
        patiently(lambda: part.replace(path))
    # If the system and the disk cannot flush a folder (Windows, shared folders of virtual machines, some network
    # disks), the file is complete anyway.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _linked(part: Path, path: Path) -> bool:
    """Name a file by a link, which replaces nothing; reject a name in use, and return False on a disk without links."""
    try:
        path.hardlink_to(part)
    except (OSError, NotImplementedError):  # the name is in use by now, or this is a memory card
        refuse_existing(path)
        return False
    patiently(part.unlink)
    return True


def patiently(action: Callable[[], object]) -> None:
    """Rename or delete something, on Windows again for two seconds: a virus scanner or sync client may have it open."""
    for pause in PAUSES_S if sys.platform == "win32" else ():
        try:
            action()
            return
        except PermissionError:
            time.sleep(pause)
    action()


@contextmanager
def writing(path: Path, where: str = "") -> Iterator[None]:
    """Turn an OSError in the block into an SrlabError that names `path`, the cause, and what to do (`where`)."""
    try:
        yield
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a network disk without locks
        number, reason = getattr(error, "errno", None) or 0, getattr(error, "strerror", None) or error
        advice = f"{ADVICE.get(number, 'Check the path')} {where}".rstrip()
        kind = PlaceError if number in ADVICE else SrlabError
        raise kind(f"Could not write {path} ({reason}). {advice}. Everything saved before is intact.") from error


def read_regular(path: Path, largest: int) -> str:
    """Return the text of a file of a run, which may be a stranger's.

    Raises
    ------
    ValueError
        It is not a regular file, as a pipe or a device without an end, has more than `largest` bytes, or is not UTF-8.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # before opening it, which waits for what writes into a pipe
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it has more than {largest:,} bytes")
    return content.decode()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def lock(path: Path, busy: str = "", patience: float = 0.0, where: str = "") -> Iterator[None]:
    """Hold a lock file during the block; the system releases it when the process ends, even if it is killed.

    If another process still holds the lock after `patience` seconds, raise an error with the message `busy`. If `busy`
    is empty, print a message and wait. `where` is as in `write_atomic`.
    """
    with writing(path, where):
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path)
        try:
            held.acquire(timeout=patience)
        except Timeout as error:
            if busy:
                raise SrlabError(busy) from error
            print(printable(f"Another process is working in {path.parent}. Waiting for it."), flush=True)
            held.acquire()
    try:
        yield
    finally:
        held.release()
