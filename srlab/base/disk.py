"""What large work on the disk asks of it: room, and one process at a time."""

import shutil
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.base.files import ADVICE, lock, one_writer  # noqa: F401 - until all take them from there

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
