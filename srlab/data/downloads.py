"""Large files from the network: from several mirrors, resumed where it broke off, and only if it is the right one.

While a file is on its way, its bytes lie in ``.<name>.part`` beside it, with a note in ``.<name>.part.json`` on where
they come from.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import requests
from tqdm.auto import tqdm

from srlab.base import disk
from srlab.base.disk import amount
from srlab.base.errors import SrlabError
from srlab.base.files import publish
from srlab.data.mirror import HEADERS, PATIENCE, Answer, MirrorError, PassingError, Patience, Version, ask, shown

PROGRESS = 1 << 20  # bytes that an attempt must bring to count as one that got on
LONGEST_PAUSE_S = 60.0


def download(
    urls: Sequence[str],
    path: Path,
    size: int | None = None,
    sha256: str | None = None,
    progress: bool = True,
    patience: Patience = PATIENCE,
) -> Path:
    """Fetch a file; it appears under its name only when it is whole and checked.

    A download that broke off goes on where it stopped, if the server still has the same file. A file that is there
    already is taken as it is. Of two processes with the same target one waits for the other.

    Parameters
    ----------
    urls
        Mirrors, tried in this order. What another mirror began is continued only where the hash is known.
    path
        Where to; missing folders are made.
    size
        In bytes, if known.
    sha256
        64 hexadecimal digits, if known.
    progress
        Show a bar.
    patience
        With slow and failing servers.

    Returns
    -------
    Path
        The path given.

    Raises
    ------
    SrlabError
        No mirror had the file (the message says what was wrong with each), the disk is too small or cannot be written
        to, or another file lies under the name. What arrived so far is kept, unless it was wrong.
    """
    path = Path(path)
    if _is_there(path, size, sha256):
        return path
    with disk.one_writer(path):
        if _is_there(path, size, sha256):  # another process was faster
            return path
        try:
            _Download(path, size, sha256, progress, patience).run(urls)
        except OSError as error:
            raise SrlabError(
                f"Could not write {path} ({error.strerror or error}); {disk.ADVICE}. What has arrived is kept, and the "
                "same command goes on from there."
            ) from error
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def part_length(path: Path) -> int:
    """Bytes that an earlier download of this file has left."""
    return _Part(path).length()


def _is_there(path: Path, size: int | None, sha256: str | None) -> bool:
    if not path.exists():
        return False
    wrong = ""
    try:
        if not path.is_file():
            wrong = "no file"
        elif size not in (None, path.stat().st_size):
            wrong = f"{path.stat().st_size} bytes long, not {size}"
        elif sha256 and (found := sha256_of(path)) != sha256:
            wrong = f"another file by its SHA-256, {found} instead of {sha256}"
    except OSError as error:
        raise SrlabError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if wrong:
        raise SrlabError(f"{path} is there already, but it is {wrong}; move it away, and it is downloaded.")
    return True


class _Part:
    """What has arrived of a file, and the note on where from."""

    def __init__(self, target: Path) -> None:
        self.file = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")

    def length(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def version(self) -> Version | None:
        try:
            return Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # none, or cut short when the process died: then from the start
            return None

    def begin(self, version: Version) -> None:
        self.drop()  # what is there may be a link that somebody put there
        self.file.touch(exist_ok=False)
        self._note.write_text(json.dumps(asdict(version)), encoding="utf-8")

    def drop(self) -> None:
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        publish(self.file, target)
        self._note.unlink(missing_ok=True)


class _Download:
    """One file on its way."""

    def __init__(self, path: Path, size: int | None, sha256: str | None, progress: bool, patience: Patience) -> None:
        self.path, self.size, self.sha256, self.progress, self.patience = path, size, sha256, progress, patience
        self.part = _Part(path)

    def run(self, urls: Sequence[str]) -> None:
        """Try the mirrors in turn until one has the file."""
        self._need_room(self.size)
        failures = []
        with requests.Session() as session:
            session.headers.update(HEADERS)
            for url in urls:
                try:
                    self._from_mirror(session, url)
                except MirrorError as error:
                    failures.append(f"{shown(url)} {error}")
                else:
                    self.part.publish(self.path)
                    return
        kept = self.part.length()
        advice = f"; {amount(kept)} are kept, and the same command goes on from there" if kept else ""
        raise SrlabError(
            f"Could not download {self.path.name}: {'; '.join(failures)}. Check the network and try again later, or "
            f"put the file at {self.path} yourself{advice}."
        )

    def _need_room(self, total: int | None) -> None:
        if total is not None:
            missing = max(0, total - self.part.length())
            disk.need_room(self.path.parent, missing, f"The download of {self.path.name}")

    def _from_mirror(self, session: requests.Session, url: str) -> None:
        """Have the part whole and checked, in several attempts if need be."""
        barren, furthest = 0, self.part.length()
        while True:
            try:
                resumed = self._receive(session, url)
                return self._check(resumed)
            except PassingError as error:
                barren = 1 if self.part.length() >= furthest + PROGRESS else barren + 1
                furthest = max(furthest, self.part.length())
                if barren >= self.patience.attempts:
                    raise MirrorError(f"{error} (tried {barren} times)") from error
                pause_s = max(self.patience.pause_s * 2 ** (barren - 1), error.pause_s)
                time.sleep(min(pause_s, LONGEST_PAUSE_S))

    def _receive(self, session: requests.Session, url: str) -> bool:
        """Get what is missing of the part; returns whether some of it was there before."""
        begun, offset = self.part.version(), self.part.length()
        if begun is None or (begun.url != url and not self.sha256):
            offset = 0
        elif offset and offset == begun.total:  # only the check was missing
            return True
        with ask(session, url, offset, bool(self.sha256), self.patience) as response:
            answer = Answer(url, response, self.patience)
            total = self.size if answer.version.total is None else answer.version.total
            if self.size not in (None, total):
                raise MirrorError(f"has a file of {total} bytes instead of {self.size}")
            if answer.whole:
                offset = 0
            elif answer.start != offset or not answer.version.continues(begun, bool(self.sha256)):
                self.part.drop()  # it is of another file, so from the start
                return self._receive(session, url)
            self._need_room(total)
            if not offset:
                self.part.begin(answer.version)
            self._write(answer.body(), offset, total)
        return offset > 0

    def _write(self, blocks: Iterator[bytes], offset: int, total: int | None) -> None:
        """Append the body to the part."""
        bar = tqdm(
            total=total, initial=offset, desc=self.path.name, unit="B", unit_scale=True, disable=not self.progress
        )
        with bar, self.part.file.open("ab") as file:
            for block in blocks:
                file.write(block)
                bar.update(len(block))
                offset += len(block)
                if total is not None and offset > total:
                    break
        if not offset:
            raise PassingError("sent an empty file")
        if total is not None and offset < total:
            raise PassingError(f"broke off after {offset} of {total} bytes")
        if total is not None and offset > total:
            self.part.drop()
            raise MirrorError(f"sends more than the {total} bytes of the file")

    def _check(self, resumed: bool) -> None:
        """Compare the hash; a wrong part is dropped, as nobody can tell which of its bytes are wrong."""
        if not self.sha256 or (found := sha256_of(self.part.file)) == self.sha256:
            return
        self.part.drop()
        words = f"sent another file than expected (its SHA-256 is {found}, not {self.sha256})"
        # If some bytes are from before, they may be the wrong ones: once more from the start.
        raise PassingError(words) if resumed else MirrorError(words)
