"""Cache decoded photos: the pixels of a set in one memory-mapped file, with an index next to it.

Without the cache, each training run would first decode all its photos: minutes for the 2650 of Flickr2K, whose 18 GB
would also have to fit into memory. The files are ``runs/cache/<folder>-<hash of its path>/<hash of its files>`` with
``.rgb`` and ``.json``, so changed photos get new files. You may delete these files at any time.
"""

import errno
import hashlib
import json
import os
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from srlab import files
from srlab.data.image_set import ImageSet, fingerprint
from srlab.data.images import Lost, print_lost, read_pixels, to_uint8
from srlab.errors import SrlabError
from srlab.paths import runs_home
from srlab.text import printable

AHEAD = 16  # photos in memory or being decoded


def cached(name: str, photos: Mapping[str, Path], part: str = "") -> ImageSet:
    """Map the decoded photos, image name -> file, as a set; decode them first if they are not in the cache.

    A folder can have several caches, which differ in `part`; a new cache replaces the older ones with the same part.
    The pixels stay readable as long as the set exists, even if the cache is deleted.
    """
    folder = Path(os.path.commonpath([file.parent for file in photos.values()])).resolve()
    owner = hashlib.sha256(os.fsencode(folder) + part.encode()).hexdigest()[:12]
    home = runs_home() / "cache" / f"{printable(folder.name)[:40].replace('?', '_')}-{owner}"
    index = home / f"{_state(photos)}.json"
    if (found := _open(name, index, photos)) is not None:
        return found
    with files.lock(home.with_name(f".{home.name}.lock")):
        if (found := _open(name, index, photos)) is not None:  # another process made it while this one waited
            return found
        print(f"Decoding {len(photos)} photos in {printable(folder)} once. The pixels are cached in {home}.")
        _build(index, photos)
        for old in sorted(home.iterdir(), reverse=True):  # pixels before their index, which Windows keeps if mapped
            if old.stem != index.stem and (old.suffix != ".json" or not old.with_suffix(".rgb").exists()):
                with suppress(PermissionError):
                    old.unlink()
        if (made := _open(name, index, photos)) is None:
            raise SrlabError(f"The cache {home} was deleted or changed while it was made. Try again.")
        return made


def _state(photos: Mapping[str, Path]) -> str:
    """Return a hash of the status of the photo files; any write changes the ctime, which no program can set."""
    digest = hashlib.sha256()
    for name, file in photos.items():
        status = file.stat()
        state = (name, file.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        digest.update(repr(state).encode())
    return digest.hexdigest()[:12]


def _open(name: str, index: Path, photos: Mapping[str, Path]) -> ImageSet | None:
    """Return the set whose cache has this index, or None if it is missing or damaged."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        sizes = [(height, width) for height, width in content["sizes"]]
        pixels, count = index.with_suffix(".rgb"), sum(height * width for height, width in sizes)
        if pixels.stat().st_size != 3 * count:
            return None
        flat = _map(pixels, count)
        return ImageSet(name, list(photos), flat, sizes, gray=content["gray"], digest=content["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _map(file: Path, count: int) -> torch.Tensor:
    """Map a file of pixels read-only, ``(count, 3)``; do not write into the tensor, which would end the process.

    Linux counts a private mapping that can be written against memory, and refuses one larger than memory.
    """
    try:
        mapped = np.memmap(file, np.uint8, "r", shape=(count, 3))
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise SrlabError(
            f"The {3 * count / 2**30:.1f} GiB of pixels in {file} cannot be mapped ({error.strerror}). Raise the limit "
            "of virtual memory (ulimit -v), or use fewer photos."
        ) from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable")
        return torch.from_numpy(mapped)


def _build(index: Path, photos: Mapping[str, Path]) -> None:
    """Decode all photos into a file of pixels, and write its index."""
    sizes, gray = [], []
    lost: Lost = {}
    with files.open_atomic(index.with_suffix(".rgb")) as file:

        def written() -> Iterator[tuple[str, torch.Tensor]]:
            for name, pixels in tqdm(decode(photos, lost), total=len(photos), unit="photo", leave=False):
                sizes.append(tuple(pixels.shape[:2]))
                if pixels.shape[2] == 1:
                    gray.append(name)
                pixels = pixels.expand(-1, -1, 3).contiguous()
                file.write(pixels.numpy())
                yield name, pixels.permute(2, 0, 1)

        mark = fingerprint(written())
        if index.stem != _state(photos):
            folder = next(iter(photos.values())).parent
            raise SrlabError(f"Photos in {folder} changed while they were decoded. Try again once they stop changing.")
    print_lost(lost)
    content = {"sizes": sizes, "gray": gray, "fingerprint": mark}
    files.write_atomic(index, json.dumps(content).encode())


def decode(photos: Mapping[str, Path], lost: Lost) -> Iterator[tuple[str, torch.Tensor]]:
    """Decode photos in several threads, and yield names and pixels ``(H, W, 1 or 3)``, uint8, in the given order.

    Photos that cannot be read are one error after the last photo, so that you need not replace them one by one.
    """
    waiting: deque[tuple[str, Future[torch.Tensor]]] = deque()
    failed: dict[str, SrlabError] = {}

    def finished() -> Iterator[tuple[str, torch.Tensor]]:
        name, pixels = waiting.popleft()
        try:
            yield name, pixels.result()
        except SrlabError as error:
            failed[photos[name].name] = error

    with ThreadPoolExecutor() as pool:
        for name, file in photos.items():
            waiting.append((name, pool.submit(lambda path: to_uint8(read_pixels(path, lost)), file)))
            if len(waiting) == AHEAD:
                yield from finished()
        while waiting:
            yield from finished()
    if len(failed) > 1:
        raise SrlabError(
            f"{len(failed)} of {len(photos)} photos in {next(iter(photos.values())).parent} cannot be read: "
            f"{', '.join(failed)}. Replace or remove them. About the first: {next(iter(failed.values()))}"
        )
    for error in failed.values():
        raise error
