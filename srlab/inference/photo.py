"""Upscaling image files: any size, with their alpha, colour profile, EXIF and bit depth, through libvips."""

import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyvips
import torch

from srlab.base.errors import SrlabError
from srlab.base.files import check_name
from srlab.base.parallel import cores
from srlab.data.images import EXTENSIONS, full_range, luma, to_uint8
from srlab.data.resampling import upsample
from srlab.inference.overlap import Source, Upscaler
from srlab.inference.photo_files import (
    ALIASES,
    HOLDS_16_BITS,
    HOLDS_ALPHA,
    LARGEST_SIDE,
    SAVERS,
    encode,
    has_exif,
    open_image,
    parts_of,
    read_piece,
)
from srlab.inference.tiling import upscale, upscale_strips

MARGIN = 4  # LR rows around a strip that bicubic enlargement looks at, and two to spare


@dataclass
class Summary:
    """What became of the files of a folder; the reasons are sentences."""

    written: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def upscale_file(
    source: str | os.PathLike,
    target: str | os.PathLike,
    upscaler: Upscaler,
    scale: int,
    *,
    force: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    progress: bool = True,
) -> Path:
    """Upscale an image file into another one.

    Grey stays grey, 16 bits a channel stay 16 bits, palettes become RGB and CMYK becomes sRGB. The alpha channel is
    enlarged by bicubic interpolation. The pixels are turned upright first, so the EXIF orientation becomes "as it is";
    the other EXIF entries and the colour profile are kept, but for EXIF in TIFF files, which libvips neither reads nor
    writes (a line on stderr says so when a TIFF is written and there was some). Of an
    animation or a file of many pages the first image is taken.

    Memory is bounded by a tile and a row of tiles. The SR pixels wait in a temporary file beside the target, and the
    target appears under its name only when it is complete and on the disk.

    Parameters
    ----------
    source
        The LR file.
    target
        The SR file: ``.png``, ``.tif``, ``.tiff``, ``.jpg``, ``.jpeg`` (quality 95) or ``.webp`` (lossless); its
        folder is made if it is missing.
    upscaler
        A network or a function from LR ``(1, 3, h, w)`` in [0, 1] to SR.
    scale
        SR pixels per LR pixel.
    force
        Replace a target that is there. The source itself is never replaced.
    tile, overlap
        As in `srlab.inference.tiling.upscale_strips`.
    progress
        Show a bar over the tiles.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    SrlabError
        The source cannot be read, the target exists, cannot be written or cannot hold such an image, or the
        upscaler fails as in `srlab.inference.tiling.upscale_strips`.
    """
    return _compute(Path(source), Path(target), upscaler, scale, force, tile, overlap, progress)()


def _compute(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    scale: int,
    force: bool,
    tile: int | None,
    overlap: int | None,
    progress: bool,
) -> Callable[[], Path]:
    """Make the SR pixels, in a temporary file. What is returned writes the target; it must be called, on any thread."""
    for path in (source, target):
        if os.fsencode(path).decode(errors="replace") != str(path):
            raise SrlabError(f"{str(path)!a} is no UTF-8, which libvips needs of a name; rename it.")
    suffix = ALIASES.get(target.suffix.lower(), target.suffix.lower())
    if suffix not in SAVERS:
        raise SrlabError(f"Cannot write {target.name}: end its name in {', '.join([*SAVERS, *ALIASES])}.")
    if target.exists() and source.exists() and target.samefile(source):
        raise SrlabError(f"{source} would be replaced by its own enlargement; choose another name for the result.")
    _refuse_existing(target, force)
    image = open_image(source)
    if image.hasalpha() and suffix not in HOLDS_ALPHA:
        raise SrlabError(f"{source} has transparency, which {target.name} cannot hold; write a PNG or TIFF instead.")
    if image.format == "ushort" and suffix not in HOLDS_16_BITS:
        raise SrlabError(
            f"{source} has 16 bits a channel, which {target.name} cannot hold; write a PNG or TIFF instead."
        )
    largest = LARGEST_SIDE.get(suffix, math.inf)
    if max(image.width, image.height) * scale > largest:
        raise SrlabError(
            f"{source} becomes {image.width * scale}x{image.height * scale} pixels, but {target.name} can hold at most "
            f"{largest} a side; end its name in .png or .tif."
        )
    with ExitStack() as stack:
        pixels, encoded = stack.enter_context(parts_of(target))
        with pixels.open("wb") as file:
            for strip in _strips(source, image, upscaler, scale, tile, overlap, progress):
                file.write(strip)
        parts = stack.pop_all()

    def write() -> Path:
        with parts:
            encode(pixels, encoded, image, scale, suffix)
            with encoded.open("rb+") as file:
                os.fsync(file.fileno())
            _refuse_existing(target, force)
            pixels.unlink()  # before the result has its name: after a kill in between, nobody would look for it again
            encoded.replace(target)
        if suffix == ".tif" and has_exif(image):
            print(f"The EXIF entries of {source} are not kept in TIFF; write a PNG if you need them.", file=sys.stderr)
        return target

    return write


def upscale_folder(
    source: str | os.PathLike,
    target: str | os.PathLike,
    upscaler: Upscaler,
    scale: int,
    *,
    force: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    progress: bool = True,
) -> Summary:
    """Upscale every image of a folder (not of those below it) into ``<name>.png`` in another one.

    While the network works on an image, those before it are compressed and written, on as many threads as there are
    cores.

    Parameters
    ----------
    source, target
        Folders; the target is made if it is missing.
    upscaler, scale, force, tile, overlap, progress
        As in `upscale_file`.

    Returns
    -------
    Summary
        Files written, files skipped because their names are not those of images, and files that failed, which
        do not stop the others.

    Raises
    ------
    SrlabError
        Nothing was begun: the folder has no images, two of them would be written to the same file, both folders
        are the same, or the target is a file.
    """
    source, target = Path(source), Path(target)
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    known = (*EXTENSIONS, ".gif", ".heic", ".avif")
    images = [path for path in files if path.suffix.lower() in known]
    if not images:
        raise SrlabError(f"There are no images in {source}; their names end in {', '.join(known)}.")
    if target.exists() and not target.is_dir():
        raise SrlabError(f"{target} is a file, but the results of a folder go into a folder; give the name of one.")
    if target.exists() and target.samefile(source):
        raise SrlabError(f"The results cannot go into the folder of their sources, {source}; choose another one.")
    for path in files:
        check_name(source, path.name)
    stems: dict[str, Path] = {}
    for path in images:
        if path.stem in stems:
            raise SrlabError(
                f"{stems[path.stem].name} and {path.name} would both become {path.stem}.png; rename one of them."
            )
        stems[path.stem] = path
    summary = Summary()
    summary.skipped = [(path, "its name is not that of an image") for path in files if path not in images]
    waiting: deque[tuple[Path, Future]] = deque()

    def settle(path: Path, result: Callable[[], Path]) -> None:
        try:
            summary.written.append(result())
        except SrlabError as error:
            summary.failed.append((path, str(error)))

    with ThreadPoolExecutor(cores()) as pool:  # a stop waits for those that are being written
        for path in images:
            try:
                write = _compute(path, target / f"{path.stem}.png", upscaler, scale, force, tile, overlap, progress)
            except SrlabError as error:
                summary.failed.append((path, str(error)))
                continue
            waiting.append((path, pool.submit(write)))
            if len(waiting) > cores():  # so that only a few files of raw pixels lie on the disk
                path, future = waiting.popleft()
                settle(path, future.result)
        for path, future in waiting:
            settle(path, future.result)
    summary.failed.sort()
    return summary


def _refuse_existing(target: Path, force: bool) -> None:
    if target.is_dir():
        raise SrlabError(f"{target} is a folder; give the name of a file to write.")
    if target.exists() and not force:
        raise SrlabError(f"{target} exists already; choose another name, or add --force (force=True) to replace it.")


def _strips(
    path: Path,
    image: pyvips.Image,
    upscaler: Upscaler,
    scale: int,
    tile: int | None,
    overlap: int | None,
    progress: bool,
) -> Iterator[bytes]:
    """SR pixels from top to bottom, as they stand in memory."""
    colours = image.bands - image.hasalpha()

    def read(top: int, left: int, height: int, width: int) -> torch.Tensor:
        return read_piece(path, image, top, left, height, width)[:, :colours].expand(-1, 3, -1, -1)

    lr = Source(image.height, image.width, read)
    for top, strip in upscale_strips(upscaler, lr, scale, tile, overlap, progress):
        rows = max(2**22 // strip.shape[-1], 1)  # as many as take a few MB
        alpha = _alpha(path, image, top // scale, strip.shape[-2] // scale, scale) if image.hasalpha() else None
        for first in range(0, strip.shape[-2], rows):
            part = strip[..., first : first + rows, :]
            if colours == 1:
                part = full_range(luma(part)).clamp(0, 1)
            if alpha is not None:
                part = torch.cat([part, alpha[..., first : first + rows, :]], dim=1)
            levels = to_uint8(part) if image.format == "uchar" else (part * 65535 + 0.5).floor().to(torch.int32)
            kind = np.uint8 if image.format == "uchar" else np.uint16
            yield levels[0].permute(1, 2, 0).numpy().astype(kind).tobytes()


def _alpha(path: Path, image: pyvips.Image, top: int, height: int, scale: int) -> torch.Tensor:
    """The alpha channel of some LR rows, enlarged: ``(1, 1, height * scale, width * scale)``."""
    above, below = max(top - MARGIN, 0), min(top + height + MARGIN, image.height)
    lr = read_piece(path, image, above, 0, below - above, image.width)[:, -1:]
    sr = upscale(lambda tile: upsample(tile, scale), lr, scale, tile=256, overlap=MARGIN)
    return sr[..., (top - above) * scale : (top - above + height) * scale, :]
