"""The folder that `srlab.data.preparation.prepare` fills: its lock, its manifest, and which of its files are ours.

``prepared.jsonl`` begins with a line of the settings. Then a photo has a line before its first file is written
("begun") and one when all its files stand under their names; the last line of a photo counts. So every file is known
to be ours before it exists, and a process may be killed at any time: what was begun and not finished is made again,
and nothing that somebody else has put there is taken for ours.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srlab.base.disk import lock
from srlab.base.errors import SrlabError
from srlab.base.files import sweep_parts

SPLITS = ("train", "validation")
MANIFEST = "prepared.jsonl"
FORMAT = 1


class Prepared:
    """What the manifest of a folder says, and which files are there.

    Parameters
    ----------
    path
        The folder; it need not be there.
    settings
        All that decides what a photo becomes, with ``scale`` among them.

    Attributes
    ----------
    done
        Photo -> its last finished line, a dict with at least ``photo``, ``name``, ``split``, ``size``, ``mtime_ns``
        and ``files`` (path in the folder -> bytes).
    begun
        Photo -> name, where a process was killed after it had begun a photo.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.file = path, path / MANIFEST
        self.settings = settings
        self._header = _line({"srlab": "prepared", "format": FORMAT, "settings": settings})
        self.done: dict[str, dict[str, Any]] = {}
        self.begun: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._of: dict[tuple[str, str], set[str]] = {}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises
        ------
        SrlabError
            Another process holds it, or the folder cannot be written.
        """
        busy = f"{self.path} is being filled by another process; wait for it to end."
        with lock(self.path / ".prepared.lock", "choose an output folder that you may write", busy):
            yield

    def read(self) -> None:
        """Read the manifest, and list the files that are there.

        Raises
        ------
        SrlabError
            The settings are others, or the manifest is damaged or not one of ours.
        """
        try:
            content = self.file.read_bytes() if self.file.exists() else b""
            for split in SPLITS:
                for kind in ("HR", f"LRx{self.settings['scale']}"):
                    self._list(split, kind)
        except OSError as error:
            raise SrlabError(f"{error.filename} cannot be read ({error.strerror}); change its permissions.") from error
        if self._header.startswith(content):  # no manifest, or killed while its first line was written
            return
        lines = content.split(b"\n")[:-1]  # what follows the last line break was cut off by a kill
        try:
            first, *rows = [json.loads(line) for line in lines]
            if first["srlab"] != "prepared":
                raise KeyError("srlab")
        except (ValueError, KeyError, TypeError) as error:
            raise SrlabError(
                f"{self.file} is damaged or was not written by srlab; choose another output folder, or put a copy from "
                "before in its place."
            ) from error
        self._refuse_others(first)
        for row in rows:
            if row.get("begun"):
                self.begun[row["photo"]] = row["name"]
            else:
                self.begun.pop(row["photo"], None)
                self.done[row["photo"]] = row

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within the block lines may be added; a last line that was cut off is removed first.

        Raises
        ------
        SrlabError
            The manifest cannot be written.
        """
        try:
            for split in SPLITS:
                sweep_parts(self.path / split)
            content = self.file.read_bytes() if self.file.exists() else b""
            with self.file.open("ab", buffering=0) as self._handle:
                self._handle.truncate(content.rfind(b"\n") + 1)
                if b"\n" not in content:
                    self._append(self._header)
                yield
                os.fsync(self._handle.fileno())
        except OSError as error:
            raise SrlabError(
                f"Could not write into {self.path} ({error.strerror or error}); free some space, and run it again to "
                "go on from here."
            ) from error

    def names(self) -> dict[str, str]:
        """Photo -> the name of its crops, for all photos that were ever begun."""
        return {photo: row["name"] for photo, row in self.done.items()} | self.begun

    def is_whole(self, photo: str, size: int, mtime_ns: int) -> bool:
        """Whether a photo was finished, has not changed since, and all its files are there with their sizes.

        Parameters
        ----------
        photo
            Its path in the source.
        size, mtime_ns
            Of its file now: bytes, and nanoseconds.
        """
        row = self.done.get(photo)
        if row is None or photo in self.begun or (row["size"], row["mtime_ns"]) != (size, mtime_ns):
            return False
        return all(self._sizes.get(file) == length for file, length in row["files"].items())

    def strangers(self, photo: str, split: str, name: str) -> list[str]:
        """Files that have the names of a photo's crops and are not ours.

        Parameters
        ----------
        photo
            Its path in the source.
        split, name
            Which side it is on, and how the names of its crops begin.
        """
        if photo in self.begun:
            return []
        listed = self.done[photo]["files"] if photo in self.done else {}
        return sorted(self._of.get((split, name.casefold()), set()) - set(listed))

    def begin(self, names: dict[str, str]) -> None:
        """Note photo -> name before the first file of these photos is written, and put that on the disk."""
        self._append(b"".join(_line({"photo": photo, "name": name, "begun": True}) for photo, name in names.items()))
        os.fsync(self._handle.fileno())  # of all lines before as well
        self.begun |= names

    def finish(self, row: dict[str, Any]) -> None:
        """Note a photo whose files are all there, and remove those that it had before and has no more."""
        photo = row["photo"]
        had = self._of.get((row["split"], row["name"].casefold()), set())
        if photo in self.done:
            had = had | set(self.done[photo]["files"])
        for file in had - set(row["files"]):
            (self.path / file).unlink(missing_ok=True)
        self._append(_line(row))
        self.begun.pop(photo, None)
        self.done[photo] = row

    def _refuse_others(self, first: dict[str, Any]) -> None:
        if first.get("format") != FORMAT:
            raise SrlabError(f"{self.path} was made by another version of srlab; choose another output folder.")
        old = first["settings"]
        changed = [key for key in old | self.settings if old.get(key) != self.settings.get(key)]
        if changed:
            was = ", ".join(f"{key}={old.get(key)!r} (now {self.settings.get(key)!r})" for key in changed)
            raise SrlabError(f"{self.path} was made with {was}; use the same settings, or another output folder.")

    def _list(self, split: str, kind: str) -> None:
        if not (self.path / split / kind).is_dir():
            return
        with os.scandir(self.path / split / kind) as files:
            for file in files:
                if found := re.fullmatch(r"(.+)_s\d+\.png" if split == "train" else r"(.+)\.png", file.name):
                    path = f"{split}/{kind}/{file.name}"
                    self._sizes[path] = file.stat().st_size
                    # Without case: on some systems a file of such a name would be the same one.
                    self._of.setdefault((split, found[1].casefold()), set()).add(path)

    def _append(self, content: bytes) -> None:
        while content:  # a disk that gets full takes a part of it first
            content = content[self._handle.write(content) :]


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"
