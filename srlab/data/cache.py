"""Photos decoded once: the pixels of a whole set in one file that is mapped into memory, and an index beside it.

Without it, each training would decode all its photos first: minutes for the 2650 of Flickr2K, and their 18 GB would
have to fit into memory. With it, only the index is read, and pixels come from the disk when a patch needs them.

The files lie in ``runs/cache/``: ``<folder>-<hash of its path>.json`` is the index, and names the file of the pixels.
They can be deleted at any time; the next use makes them anew.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from PIL import Image, UnidentifiedImageError
from tqdm.auto import tqdm

from srlab.base import disk, files
from srlab.base.errors import SrlabError
from srlab.data.images import FORMATS, read_levels
from srlab.base.parallel import in_order
from srlab.base.places import home

FORMAT = 1  # of the index and the pixels; a cache of another format is made anew


@dataclass(frozen=True)
class Cached:
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


@dataclass(frozen=True)
class Source:
    """What an index says of one photo: the file as it was when it was decoded, and what came of it."""

    name: str
    file: str
    size: int
    changed: int
    height: int
    width: int
    grey: bool


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
        digest.update(f"{name}{tuple(image.shape)}".encode())
        digest.update(image.numpy().tobytes())
    return digest.hexdigest()[:16]


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
    key = f"{folder.name[:40]}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    index = home() / "cache" / f"{key}.json"
    if (found := _open(index, photos)) is not None:
        return found
    with disk.one_writer(index):
        found = _open(index, photos)  # another process may have made it while this one waited
        if found is None:
            _build(index, folder, photos)
            found = _open(index, photos)
    if found is None:
        raise SrlabError(
            f"Photos in {folder} changed while they were decoded; wait for what writes there, and try again."
        )
    return found


def _open(index: Path, photos: dict[str, Path]) -> Cached | None:
    """The cache, if there is one and it is of these photos as they are now."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        sources = [Source(*entry) for entry in content["photos"]]
        if [(s.name, s.file, s.size, s.changed) for s in sources] != [_state(*photo) for photo in photos.items()]:
            return None
        pixels, count = index.parent / Path(content["pixels"]).name, sum(s.height * s.width for s in sources)
        status = pixels.stat()
        if (status.st_size, status.st_mtime_ns) != (3 * count, content["written"]):
            return None
        # Not shared: what somebody writes into the tensor never reaches the file.
        flat = torch.from_file(str(pixels), shared=False, size=3 * count, dtype=torch.uint8).view(count, 3)
        grey = frozenset(source.name for source in sources if source.grey)
        return Cached(flat, [(s.height, s.width) for s in sources], grey, content["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return None  # there is none, or it is not as it was written; it can be made anew


def _state(name: str, file: Path) -> tuple[str, str, int, int]:
    status = file.stat()
    return name, file.name, status.st_size, status.st_mtime_ns


def _build(index: Path, folder: Path, photos: dict[str, Path]) -> None:
    """Decode all photos into a new file of pixels, and let the index name it; the lock is held."""
    files.sweep_parts(index.parent)
    needed = _decoded_bytes(photos)
    disk.need_room(index.parent, needed, f"The cache of the photos of {folder}")
    print(f"Decoding {len(photos)} photos of {folder} once, into {index.parent} ({disk.amount(needed)}).")
    sources: list[Source] = []
    unnamed = index.with_suffix(".rgb")
    with files.open_atomic(unnamed) as file:
        digits = fingerprint(_decode(photos, sources, file))
    pixels = unnamed.replace(index.with_name(f"{index.stem}-{digits}.rgb"))
    content = {"format": FORMAT, "folder": str(folder), "pixels": pixels.name, "written": pixels.stat().st_mtime_ns}
    content |= {"fingerprint": digits, "photos": [astuple(source) for source in sources]}
    files.write_atomic(index, json.dumps(content).encode())
    for old in index.parent.iterdir():  # of the same folder; whoever has mapped one of them keeps it
        if old.name.startswith(index.stem) and old.suffix == ".rgb" and old != pixels:
            old.unlink(missing_ok=True)


def _decode(photos: dict[str, Path], sources: list[Source], file: BinaryIO) -> Iterator[tuple[str, torch.Tensor]]:
    """Decode photo after photo, append each to the file and to `sources`, and pass it on."""

    def read(photo: tuple[str, Path]) -> tuple[tuple[str, str, int, int], torch.Tensor]:
        try:
            state = _state(*photo)  # before it is read: if it changes meanwhile, the cache is none of what is there
        except OSError as error:
            raise SrlabError(f"The photo {photo[1]} has gone ({error.strerror}); put it back, or try again.") from error
        return state, read_levels(photo[1], keep_grey=True)

    for state, image in tqdm(in_order(read, photos.items()), total=len(photos), unit="photo", leave=False):
        channels, height, width = image.shape
        image = image.expand(3, -1, -1)
        file.write(image.permute(1, 2, 0).contiguous().numpy())
        sources.append(Source(*state, height, width, channels == 1))
        yield state[0], image


def _decoded_bytes(photos: dict[str, Path]) -> int:
    total = 0
    for file in photos.values():
        try:
            with Image.open(file, formats=FORMATS) as image:  # the header alone
                total += 3 * image.width * image.height
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, UnidentifiedImageError):
            continue  # decoding it will say what is wrong with it
    return total
