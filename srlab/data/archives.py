"""Take what is needed out of a zip or tar file that may be damaged or hostile: a whole folder, or nothing."""

import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tqdm.auto import tqdm

from srlab.base import disk
from srlab.base.errors import SrlabError
from srlab.base.files import publish

BLOCK = 1 << 20
# What zipfile and tarfile raise on a damaged file, with the libraries below them.
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, OSError, ValueError),
)


def extract(
    archive: Path,
    folder: Path,
    place: Callable[[str], str | None],
    count: int | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> list[str]:
    """Unpack members of an archive as a new folder; it appears under its name only when it is complete.

    Not more than one process may do this with a folder at a time. What is left of one that was killed is removed.

    Parameters
    ----------
    archive
        A zip file, or a tar file without compression.
    folder
        To make; it must not exist.
    place
        Tells for a member's name where it goes: a path below the folder with ``/``, or None if it is not needed.
    count
        How many members must be needed, if known.
    limit
        Bytes that they may have together.
    progress
        Show a bar.

    Returns
    -------
    list of str
        The paths below the folder, sorted.

    Raises
    ------
    SrlabError
        The archive is none, damaged, encrypted or not what it should be (a member leads out of the folder, is a link,
        or has the same target as another; too many bytes), the disk is too small or cannot be written to, or the
        folder exists. Nothing is then written.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise SrlabError(f"{folder} is there already; move it away, and it is unpacked anew.")
    staging = folder.with_name(f".{folder.name}.unpacking")
    with _opened(archive) as members:
        targets = _targets(archive, members, place)
        if not targets or len(targets) != (count or len(targets)):
            wanted = "some" if count is None else count
            raise SrlabError(
                f"{archive} holds {len(targets)} of the files that are expected for {folder}, not {wanted}; "
                "it is another archive."
            )
        size = sum(member.size for member in targets.values())
        if limit is not None and size > limit:
            raise SrlabError(
                f"{archive} would unpack to {disk.amount(size)}, more than the {disk.amount(limit)} that can be "
                "expected; do not trust it."
            )
        try:
            if staging.exists():
                shutil.rmtree(staging)
            disk.need_room(folder.parent, size, f"Unpacking {archive.name}")
            bar = tqdm(sorted(targets.items()), desc=f"unpacking {archive.name}", unit="file", disable=not progress)
            for target, member in bar:
                _write(archive, member, staging / target)
            publish(staging, folder)
        except OSError as error:
            reason = f"Could not unpack {archive} to {folder} ({error.strerror or error}); {disk.ADVICE}."
            raise SrlabError(reason) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # there is none after a success
    return sorted(targets)


@dataclass
class _Member:
    """What both kinds of archive say of a member."""

    name: str
    size: int  # declared, in bytes
    kind: str  # "file", "folder" or what else it is
    open: Callable[[], IO[bytes] | None]


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Member]]:
    """The members of an archive, to be read one at a time while it is open."""
    with _damage(archive):
        with archive.open("rb") as file:
            start = file.read(4)
        kind = zipfile.ZipFile if start in (b"PK\x03\x04", b"PK\x05\x06") else _tar
        opened = kind(archive)
    with opened:
        with _damage(archive):
            members = _zip_members(opened) if isinstance(opened, zipfile.ZipFile) else _tar_members(opened)
        yield members


def _tar(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, "r:")
    except tarfile.ReadError as error:
        raise SrlabError(f"{archive} is neither a zip nor a tar file; delete it and download it again.") from error


def _zip_members(archive: zipfile.ZipFile) -> list[_Member]:
    members = []
    for info in archive.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)  # as Unix has it; 0 where the archive was made elsewhere
        kind = "folder" if info.is_dir() else "file" if mode in (0, stat.S_IFREG) else "link or device"
        if info.flag_bits & 0x1 and kind == "file":
            kind = "encrypted file"
        members.append(_Member(info.filename, info.file_size, kind, lambda info=info: archive.open(info)))
    return members


def _tar_members(archive: tarfile.TarFile) -> list[_Member]:
    members = []
    for info in archive.getmembers():
        kind = "file" if info.isreg() else "folder" if info.isdir() else "link or device"
        members.append(_Member(info.name, info.size, kind, lambda info=info: archive.extractfile(info)))
    # tarfile takes a header that it cannot read for the end, unless it is the first. A true end is a block of zeros.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("its list of files breaks off")
    return members


def _targets(archive: Path, members: list[_Member], place: Callable[[str], str | None]) -> dict[str, _Member]:
    """Which member goes where; refuses an archive in which anything is wrong.

    Where a file goes is for `place` to say, never for the archive, so that the checks of `tarfile.data_filter` would
    come too late and those of `zipfile`, which mends such names in silence, do not matter.
    """
    targets, taken = {}, set()
    for member in members:
        if not _is_safe(member.name):
            raise SrlabError(f"{archive} holds {member.name!r}, which leads out of the folder; do not trust it.")
        target = None if member.kind == "folder" else place(member.name)
        if target is None:
            continue
        if member.kind != "file":
            raise SrlabError(f"{archive} holds {member.name!r} as {member.kind}, not as a plain file; do not trust it.")
        if target.casefold() in taken:  # also where only some disks take two names for the same
            raise SrlabError(f"{archive} holds {target!r} twice (the second is {member.name!r}); it is damaged.")
        taken.add(target.casefold())
        targets[target] = member
    return targets


def _is_safe(name: str) -> bool:
    """Whether a member's name is a path below the folder on every system."""
    return ".." not in name.split("/") and re.match(r"/|[A-Za-z]:", name) is None and "\\" not in name


def _write(archive: Path, member: _Member, target: Path) -> None:
    """Copy one member to the disk, and see that it has the bytes it declares."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with _damage(archive):
        source = member.open()
    with source, target.open("wb") as file:
        while True:
            with _damage(archive):
                block = source.read(BLOCK)  # checks the CRC of a zip at the end
            if not block:
                break
            file.write(block)
            written += len(block)
        file.flush()
        os.fsync(file.fileno())
    if written != member.size:
        raise SrlabError(f"{archive} is damaged ({member.name!r} is cut short); delete it and download it again.")


@contextmanager
def _damage(archive: Path) -> Iterator[None]:
    """Say of what goes wrong while reading an archive that it is damaged."""
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise SrlabError(f"The archive {archive} cannot be read ({error.strerror}); check the path.") from error
    except DAMAGE as error:
        raise SrlabError(f"{archive} is damaged or cut short ({error}); delete it and download it again.") from error
