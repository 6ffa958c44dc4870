"""Photos decoded once: the pixels of a whole set in one file that is mapped into memory, and an index beside it.

Without it, each training would decode all its photos first: minutes for the 2650 of Flickr2K, and their 18 GB would
have to fit into memory. With it, only the index is read, and pixels come from the disk when a patch needs them.

The files lie in ``runs/cache/`` and are called ``<folder>-<hash of its path>-<hash of its files as they are>``, with
``.rgb`` and ``.json``; so photos that have changed find none. They can be deleted at any time; the next use makes them
anew.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm.auto import tqdm

from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.base.places import home
from srlab.data.images import read_pixels, to_uint8

AHEAD = 16  # photos in memory, decoded or in work, however many there are


class Cached(NamedTuple):
    """The pixels of a set, and what is known of them without a look at them.

    Attributes
    ----------
    pixels
        ``(all pixels of the set, 3)``, uint8, RGB, image after image and row after row; mapped, not read.
    sizes
        Height and width of each image, in order.
    grey
        Names of the images whose file is grey.
    fingerprint
        That of the set, see `fingerprint`.
    """

    pixels: torch.Tensor
    sizes: list[tuple[int, int]]
    grey: frozenset[str]
    fingerprint: str


def fingerprint(images: Iterable[tuple[str, torch.Tensor]]) -> str:
    """A short hash of the names and pixels of a set.

    Parameters
    ----------
    images
        Names with images ``(3, H, W)``, uint8, in order; looked at one after the other.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, image in images:
        _add(digest, name, image)
    return digest.hexdigest()[:16]


def _add(digest: "hashlib._Hash", name: str, image: torch.Tensor) -> None:
    digest.update(f"{name}{tuple(image.shape)}".encode())
    digest.update(image.numpy().tobytes())


def cached(folder: Path, photos: dict[str, Path]) -> Cached:
    """Map the decoded photos of a folder; decode them first if that was not done yet or one of them has changed.

    Parameters
    ----------
    folder
        Whose photos they are.
    photos
        Name -> file, in the order of the set.

    Returns
    -------
    Cached
        The pixels stay readable as long as the tensor lives, even if the cache is made anew or deleted meanwhile.

    Raises
    ------
    SrlabError
        A photo is damaged, the photos change while they are decoded, or there is no room for the pixels.
    """
    folder = folder.resolve()
    owner = f"{folder.name[:40]}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    index = home() / "cache" / f"{owner}-{_state(photos)}.json"
    if (found := _open(index)) is not None:
        return found
    with files.one_writer(index.with_name(owner)):
        if (found := _open(index)) is not None:  # another process has made it while this one waited
            return found
        for part in index.parent.glob(f".{owner}*.part"):  # of a process that was killed
            part.unlink()
        print(f"Decoding {len(photos)} photos of {folder} once, into {index.parent}.")
        _build(index, photos)
        for old in index.parent.iterdir():  # of the same folder; whoever has mapped one of them keeps it
            if old.name.startswith(owner) and old.stem != index.stem:
                with suppress(PermissionError):  # Windows keeps what is mapped; the next cache sweeps it away
                    old.unlink()
    return _open(index)


def _state(photos: dict[str, Path]) -> str:
    """A short hash of the photos as files: any write to one changes its time of change, which nobody can set."""
    digest = hashlib.sha256()
    for name, file in photos.items():
        try:
            status = file.stat()
        except OSError as error:
            raise SrlabError(f"The photo {file} has gone ({error.strerror}); put it back, or try again.") from error
        state = (name, file.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        digest.update(repr(state).encode())
    return digest.hexdigest()[:12]


def _open(index: Path) -> Cached | None:
    """The cache of this index, or None where there is none or it is damaged."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        sizes = [(height, width) for height, width in content["sizes"]]
        pixels, count = index.with_suffix(".rgb"), sum(height * width for height, width in sizes)
        if pixels.stat().st_size != 3 * count:
            return None
        # Not shared: what somebody writes into the tensor never reaches the file.
        flat = torch.from_file(str(pixels), shared=False, size=3 * count, dtype=torch.uint8).view(count, 3)
        return Cached(flat, sizes, frozenset(content["grey"]), content["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build(index: Path, photos: dict[str, Path]) -> None:
    """Decode all photos into a file of pixels, and write the index for it."""
    sizes, grey, digest = [], [], hashlib.sha256()
    rest, coming = iter(photos.values()), deque()
    with files.open_atomic(index.with_suffix(".rgb")) as file, ThreadPoolExecutor() as pool:
        for name in tqdm(photos, unit="photo", leave=False):
            some = islice(rest, AHEAD - len(coming))
            coming.extend(pool.submit(lambda photo: to_uint8(read_pixels(photo)), photo) for photo in some)
            image = coming.popleft().result()
            sizes.append(tuple(image.shape[:2]))
            if image.shape[2] == 1:
                grey.append(name)
            image = image.expand(-1, -1, 3).contiguous()
            file.write(image.numpy())
            _add(digest, name, image.permute(2, 0, 1))
        if not index.stem.endswith(_state(photos)):
            folder = next(iter(photos.values())).parent
            raise SrlabError(
                f"Photos in {folder} changed while they were decoded; wait for what writes there, and try again."
            )
    content = {"sizes": sizes, "grey": grey, "fingerprint": digest.hexdigest()[:16]}
    files.write_atomic(index, json.dumps(content).encode())
