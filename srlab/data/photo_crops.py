"""What becomes of one photo: overlapping crops for training or the whole of it for validation, with their LR images.

LR is made from the whole photo and cut at the same places as HR. Shrinking mirrors an image at its border, and a crop
that is shrunk by itself gets mirrors at four borders that the photo does not have: a network would learn from pairs
that do not fit each other.
"""

import io
import threading
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.base.files import open_atomic
from srlab.data.images import FORMATS, luma, mod_crop, read_levels, to_float, to_uint8
from srlab.data.photo_sources import Photo
from srlab.data.resampling import downsample

COMPRESSION = 1  # of zlib: files as small as with Pillow's 6, in a third of the time
BYTES_PER_SAMPLE = 0.6  # of a PNG of a photo, about

Row = dict[str, Any]  # a line of the manifest, see `srlab.data.prepared`


@dataclass(frozen=True)
class Recipe:
    """All that decides what a photo becomes, see `srlab.data.preparation.prepare`."""

    size: int
    step: int
    scale: int
    validation: float
    min_contrast: float

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise SrlabError(f"The scale must be at least 1, but is {self.scale}.")
        if not 1 <= self.step <= self.size:
            raise SrlabError(f"The step must be from 1 to the size of a crop, {self.size}, but is {self.step}.")
        if self.size % self.scale or self.step % self.scale:
            raise SrlabError(f"Size {self.size} and step {self.step} must be multiples of the scale, {self.scale}.")
        if not 0 <= self.validation < 1:
            raise SrlabError(f"The share for validation must be at least 0 and below 1, but is {self.validation}.")
        if not self.min_contrast >= 0:
            raise SrlabError(f"The least contrast must be at least 0, but is {self.min_contrast}.")

    def boxes(self, split: str, height: int, width: int) -> list[tuple[str, int, int, int, int]]:
        """What is cut out of a photo: end of the name, top, left, height, width; none if the photo is too small.

        Parameters
        ----------
        split
            ``"train"`` for crops, ``"validation"`` for the whole photo.
        height, width
            Of the photo in pixels.
        """
        if min(height, width) < self.size:
            return []
        height, width = height - height % self.scale, width - width % self.scale
        if split == "validation":
            return [("", 0, 0, height, width)]
        tops, lefts = (positions(length, self.size, self.step) for length in (height, width))
        places = [(top, left, self.size, self.size) for top in tops for left in lefts]
        return [(f"_s{number:03d}", *place) for number, place in enumerate(places, 1)]

    def files(self, photo: Photo, end: str) -> tuple[str, str]:
        """Where HR and LR of a crop are written, relative to the output."""
        hr, lr = (f"{photo.split}/{kind}/{photo.name}{end}.png" for kind in ("HR", f"LRx{self.scale}"))
        return hr, lr


def positions(length: int, size: int, step: int) -> list[int]:
    """Where crops begin along an axis: a step apart, and the last one flush with the border.

    Parameters
    ----------
    length, size, step
        Of the photo, of a crop, and from one crop to the next, in pixels along the axis.
    """
    return [*range(0, length - size, step), length - size]


def make(photo: Photo, recipe: Recipe, output: Path, stop: threading.Event) -> Row | SrlabError:
    """Write all files of a photo, each under its name only when it is whole.

    Parameters
    ----------
    photo
        Read in full; its memory is what this function needs.
    recipe
        What to cut.
    output
        The folder that the files' names are relative to.
    stop
        Set by another thread to end this between two crops.

    Returns
    -------
    dict or SrlabError
        The line for the manifest; or why the photo cannot be read, which is no reason to stop with the others.

    Raises
    ------
    SrlabError
        A file cannot be written.
    CancelledError
        `stop` was set.
    """
    try:
        hr = read_levels(photo.path, keep_grey=True)
    except SrlabError as error:
        return error
    row, boxes = _plan(photo, recipe, *hr.shape[1:])
    if not boxes:
        return row
    hr = mod_crop(hr, recipe.scale)
    lr = to_uint8(downsample(to_float(hr)[None], recipe.scale))[0]
    for end, *box in boxes:
        if stop.is_set():
            raise CancelledError
        crop = _cut(hr, *box)
        if contrast(crop) < recipe.min_contrast:
            row["flat"] += 1
            continue
        small = _cut(lr, *(place // recipe.scale for place in box))
        for file, image in zip(recipe.files(photo, end), (crop, small), strict=True):
            row["files"][file] = _write(output / file, image)
    if not row["files"]:
        row["skipped"] = "it is flat everywhere"
    return row


def foresee(photo: Photo, recipe: Recipe) -> Row | SrlabError:
    """The line that `make` would return at most, from the photo's header alone; sizes of files are estimates."""
    try:
        with photo.path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size  # turned or not by its EXIF orientation: the crops are as many
            samples = 1 if image.mode in ("1", "L", "LA") or image.mode[0] in "IF" else 3
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return SrlabError(f"The image {photo.path} cannot be read ({error}); replace the file.")
    row, boxes = _plan(photo, recipe, height, width)
    for end, _, _, rows, columns in boxes:
        size = rows * columns * samples * BYTES_PER_SAMPLE
        hr, lr = recipe.files(photo, end)
        row["files"] |= {hr: round(size), lr: round(size / recipe.scale**2)}
    return row


def contrast(crop: torch.Tensor) -> float:
    """Standard deviation of the luma of an 8-bit image ``(1 or 3, H, W)``, in levels."""
    return float(luma(to_float(crop).expand(3, -1, -1)).std(correction=0)) * 255


def _plan(photo: Photo, recipe: Recipe, height: int, width: int) -> tuple[Row, list[tuple[str, int, int, int, int]]]:
    row = {"photo": photo.photo, "name": photo.name, "split": photo.split}
    row |= {"size": photo.size, "mtime_ns": photo.mtime_ns, "files": {}, "flat": 0, "skipped": ""}
    boxes = recipe.boxes(photo.split, height, width)
    if not boxes:
        row["skipped"] = f"its {width}x{height} pixels are less than a crop of {recipe.size}x{recipe.size}"
    return row, boxes


def _cut(image: torch.Tensor, top: int, left: int, height: int, width: int) -> torch.Tensor:
    return image[:, top : top + height, left : left + width]


def _write(path: Path, image: torch.Tensor) -> int:
    """Write a PNG that is whole or not there, without the wait for the disk; returns its bytes."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    encoded = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(encoded, "PNG", compress_level=COMPRESSION)
    with open_atomic(path, "free some space, and run it again to go on from here", sync=False) as file:
        file.write(encoded.getbuffer())
    return encoded.getbuffer().nbytes
