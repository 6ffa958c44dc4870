"""Cache decoded photos: the pixels of a set in one memory-mapped file, with an index next to it.

Without the cache, each training run would first decode all its photos: minutes for the 2650 of Flickr2K, whose 18 GB
would also have to fit into memory. The files are ``runs/cache/<folder>-<hash of its path>-<hash of its files>`` with
``.rgb`` and ``.json``, so changed photos get new files. You may delete these files at any time.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm.auto import tqdm

from srlab import files
from srlab.data.images import read_pixels, to_uint8
from srlab.errors import SrlabError
from srlab.paths import runs_home
from srlab.text import printable

AHEAD = 16  # photos in memory or being decoded


class Decoded(NamedTuple):
    """Pixels of a set, and facts that would otherwise require reading its files.

    ``pixels`` is ``(all pixels, 3)``, uint8, RGB, image after image and row after row, mapped from the file. ``sizes``
    has the height and width of each image, and ``gray`` the names of the images with a grayscale file.
    """

    pixels: torch.Tensor
    sizes: list[tuple[int, int]]
    gray: frozenset[str]
    fingerprint: str


def fingerprint(images: Iterable[tuple[str, torch.Tensor]]) -> str:
    """Return 16 hexadecimal digits of a hash of names and images ``(3, H, W)``, uint8, in their order."""
    digest = hashlib.sha256()
    for name, image in images:
        digest.update(f"{name}{tuple(image.shape)}".encode())
        digest.update(image.numpy().tobytes())
    return digest.hexdigest()[:16]


def _decode(photos: Mapping[str, Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Decode photos in several threads, and yield names and pixels ``(H, W, 1 or 3)``, uint8, in the given order."""
    waiting = deque()
    with ThreadPoolExecutor() as pool:
        for name, file in photos.items():
            waiting.append((name, pool.submit(lambda path: to_uint8(read_pixels(path)), file)))
            if len(waiting) == AHEAD:
                first, pixels = waiting.popleft()
                yield first, pixels.result()
        yield from ((name, pixels.result()) for name, pixels in waiting)


def cached(folder: Path, photos: Mapping[str, Path], part: str = "") -> Decoded:
    """Map the decoded photos of a folder; decode them first if they are not in the cache or have changed.

    A folder can have several caches, which differ in `part`; a new cache replaces the older ones with the same part.
    The pixels stay readable as long as the tensor exists, even if the cache is deleted.
    """
    folder = folder.resolve()
    name = printable(folder.name)[:40].replace("?", "_")
    owner = f"{name}-{hashlib.sha256(os.fsencode(folder) + part.encode()).hexdigest()[:12]}"
    index = runs_home() / "cache" / f"{owner}-{_state(photos)}.json"
    if (decoded := _open(index)) is not None:
        return decoded
    with files.one_writer(index.with_name(owner)):
        if (decoded := _open(index)) is not None:  # another process made it while this one waited
            return decoded
        print(f"Decoding {len(photos)} photos in {printable(folder)} once. The pixels are cached in {index.parent}.")
        _build(index, photos)
        for old in index.parent.iterdir():
            if owner in old.name and old.suffix != ".lock" and old.stem != index.stem:
                with suppress(PermissionError):  # Windows does not delete what another process has mapped
                    old.unlink()
    return _open(index)


def _state(photos: Mapping[str, Path]) -> str:
    """Return a hash of the status of the photo files; any write changes the ctime, which no program can set."""
    digest = hashlib.sha256()
    for name, file in photos.items():
        try:
            status = file.stat()
        except OSError as error:
            raise SrlabError(f"The photo {file} is gone ({error.strerror}). Put it back and try again.") from error
        state = (name, file.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        digest.update(repr(state).encode())
    return digest.hexdigest()[:12]


def _open(index: Path) -> Decoded | None:
    """Return the cache with this index, or None if it is missing or damaged."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        sizes = [(height, width) for height, width in content["sizes"]]
        pixels, count = index.with_suffix(".rgb"), sum(height * width for height, width in sizes)
        if pixels.stat().st_size != 3 * count:
            return None
        # Not shared, so that a write into the tensor never reaches the file.
        flat = torch.from_file(str(pixels), shared=False, size=3 * count, dtype=torch.uint8).view(count, 3)
        return Decoded(flat, sizes, frozenset(content["gray"]), content["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build(index: Path, photos: Mapping[str, Path]) -> None:
    """Decode all photos into a file of pixels, and write its index."""
    sizes, gray = [], []
    with files.open_atomic(index.with_suffix(".rgb")) as file:

        def written() -> Iterator[tuple[str, torch.Tensor]]:
            for name, pixels in tqdm(_decode(photos), total=len(photos), unit="photo", leave=False):
                sizes.append(tuple(pixels.shape[:2]))
                if pixels.shape[2] == 1:
                    gray.append(name)
                pixels = pixels.expand(-1, -1, 3).contiguous()
                file.write(pixels.numpy())
                yield name, pixels.permute(2, 0, 1)

        mark = fingerprint(written())
        if not index.stem.endswith(_state(photos)):
            folder = next(iter(photos.values())).parent
            raise SrlabError(f"Photos in {folder} changed while they were decoded. Try again once they stop changing.")
    content = {"sizes": sizes, "gray": gray, "fingerprint": mark}
    files.write_atomic(index, json.dumps(content).encode())
