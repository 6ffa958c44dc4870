"""Upscaling image files: any size, with their alpha, colour profile, EXIF and bit depth, through libvips."""

import math
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyvips
import torch
from PIL import Image, UnidentifiedImageError

from srlab.base.errors import SrlabError
from srlab.base.files import need_room, open_atomic, refuse_existing, sweep_parts
from srlab.base.text import breaks_line, printable
from srlab.data.images import (
    EXTENSIONS,
    cmyk_to_rgb,
    damaged,
    full_range,
    luma,
    open_upright,
    reading,
    to_uint8,
    unreadable,
)
from srlab.inference.tiling import Upscaler, overlap_of, tile_of, upscale_tiles

# How a format is written: libvips' saver with its options, and what the format can hold.
SAVERS = {
    ".png": ("pngsave", {}),
    ".tif": ("tiffsave", {"compression": "deflate", "predictor": "horizontal"}),
    ".jpg": ("jpegsave", {"Q": 95, "subsample_mode": "off"}),
    ".webp": ("webpsave", {"lossless": True}),
}
ALIASES = {".tiff": ".tif", ".jpeg": ".jpg"}
LARGEST_SIDE = {".jpg": 65500, ".webp": 16383}  # pixels
HOLDS_ALPHA, HOLDS_16_BITS = (".png", ".tif", ".webp"), (".png", ".tif")
PLAIN = ("b-w", "grey16", "srgb", "rgb", "rgb16", "multiband")  # pixels that are RGB or grey as they stand
METADATA = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data")
# What a file holds decides how it is read, not its name: only these, and raw pixels of our own, are read at all.
pyvips.operation_block_set("VipsForeignLoad", True)
for _kind in ("Png", "Jpeg", "Tiff", "Webp", "Nsgif", "Heif", "Raw"):
    pyvips.operation_block_set(f"VipsForeignLoad{_kind}", False)
# More pixels than the first in a file with fewer bytes than the second asks for are a trap.
LARGEST_BOMB, PIXELS_PER_BYTE = 2 * Image.MAX_IMAGE_PIXELS, 2000


@dataclass
class Summary:
    """What became of the files of a folder; the reasons are sentences."""

    written: list[Path] = field(default_factory=list)
    present: list[Path] = field(default_factory=list)
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
    progress: bool | str = True,
    precision: str = "no",
) -> Path:
    """Upscale an image file into another one.

    Grey stays grey, 16 bits a channel stay 16 bits, palettes become RGB and CMYK becomes sRGB. The alpha channel is
    enlarged by bicubic interpolation, and pixels of which nothing shows take the colour of those around them, so that
    what is hidden gives no halo. The pixels are turned upright first, so the EXIF orientation becomes 1, upright;
    the other EXIF entries and the colour profile are kept, but for EXIF in TIFF files, which libvips neither reads nor
    writes (a line on stderr says so when a TIFF is written and there was some). Of an
    animation or a file of many pages the first image is taken.

    Memory is bounded by a tile. The SR pixels wait in a temporary file beside the target, and the
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
    tile, overlap, progress, precision
        As in `srlab.inference.tiling.upscale_tiles`.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    SrlabError
        The source cannot be read, the target exists, cannot be written or cannot hold such an image, there is too
        little room on a disk, or the upscaler fails as in `srlab.inference.tiling.upscale_tiles`.
    """
    source, target = Path(source), Path(target)
    suffix = ALIASES.get(target.suffix.lower(), target.suffix.lower())
    if suffix not in SAVERS:
        raise SrlabError(f"Cannot write {target.name}: end its name in {', '.join([*SAVERS, *ALIASES])}.")
    if _same(source, target):
        raise SrlabError(f"{source} would be replaced by its own enlargement; choose another name for the result.")
    if target.is_dir():
        raise SrlabError(f"{target} is a folder; give the name of a file to write.")
    refuse_existing(target, force)
    image = open_image(source)
    tile = tile_of(upscaler, scale) if tile is None else tile
    overlap = overlap_of(upscaler) if overlap is None else overlap
    _check_format(source, target, suffix, image, scale)
    size = (image.width * scale, image.height * scale)
    # The pixels, and a file that noise makes as large.
    need_room(target.parent, 2 * math.prod(size) * _bytes_of(image), f"{target} ({size[0]}x{size[1]} pixels)")
    sweep_parts(target.parent, f"{target.name}.")
    pixels = target.with_name(f".{target.name}.pixels.{os.getpid()}.part")
    with open_atomic(target) as encoded:
        try:
            with pixels.open("wb") as file:
                how = {"tile": tile, "overlap": overlap, "progress": progress, "precision": precision}
                _write_pixels(file, source, image, upscaler, scale, **how)
            _encode(pixels, Path(encoded.name), image, scale, suffix)
        finally:
            pyvips.cache_set_max(0)  # else libvips keeps the file open, and a deleted open file still fills the disk
            pixels.unlink(missing_ok=True)
    if suffix == ".tif" and image.get_typeof("exif-data"):
        print(f"The EXIF entries of {source} are not kept in TIFF; write a PNG if you need them.", file=sys.stderr)
    return target


def upscale_folder(
    source: str | os.PathLike,
    target: str | os.PathLike,
    upscaler: Upscaler,
    scale: int,
    *,
    force: bool = False,
    progress: bool = True,
    **options: int | str | None,
) -> Summary:
    """Upscale every image of a folder (not of those below it) into ``<name>.png`` in another one.

    Done again after a stop, it goes on with the images that have no result yet.

    Parameters
    ----------
    source, target
        Folders; the target is made if it is missing.
    upscaler, scale, force, **options
        As in `upscale_file`.
    progress
        Show a bar for each image, with its name.

    Returns
    -------
    Summary
        Results written, results that were there already and were left as they are, files skipped because their names
        are not those of images or no line of text, and files that failed, which do not stop the others.

    Raises
    ------
    SrlabError
        Nothing was begun: the folder has no images, two of them would be written to the same file, both folders
        are the same, or the target is a file.
    """
    source, target = Path(source), Path(target)
    summary, images = Summary(), {}
    known = (*EXTENSIONS, ".gif", ".heic", ".avif")
    for path in sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith(".")):
        if path.suffix.lower() not in known:
            summary.skipped.append((path, "its name is not that of an image"))
        elif breaks_line(path.name):
            summary.skipped.append((path, "its name is no line of text; rename it"))
        elif path.stem in images:
            other = images[path.stem].name
            raise SrlabError(f"{other} and {path.name} would both become {path.stem}.png; rename one of them.")
        else:
            images[path.stem] = path
    if not images:
        raise SrlabError(f"There are no images in {source}; their names end in {', '.join(known)}.")
    if target.exists() and not target.is_dir():
        raise SrlabError(f"{target} is a file, but the results of a folder go into a folder; give the name of one.")
    if _same(source, target):
        raise SrlabError(f"The results cannot go into the folder of their sources, {source}; choose another one.")
    for number, (stem, path) in enumerate(images.items(), 1):
        result = target / f"{stem}.png"
        if result.is_file() and not force:
            summary.present.append(result)
            continue
        try:
            label = progress and f"{number}/{len(images)} {printable(path.name)}"
            made = upscale_file(path, result, upscaler, scale, force=force, progress=label, **options)
            summary.written.append(made)
        except SrlabError as error:
            summary.failed.append((path, str(error)))
    return summary


def _same(source: Path, target: Path) -> bool:
    """Whether both are one file or folder, also where a part of the target's path is still to be made."""
    return target.resolve() == source.resolve() or (target.exists() and source.exists() and target.samefile(source))


def _check_format(source: Path, target: Path, suffix: str, image: pyvips.Image, scale: int) -> None:
    """Refuse a target of a format that cannot hold the result."""
    large = max(image.width, image.height) * scale
    lacks = {
        "transparency": image.hasalpha() and suffix not in HOLDS_ALPHA,
        "16 bits a channel": image.format == "ushort" and suffix not in HOLDS_16_BITS,
        f"{large} enlarged pixels a side": large > LARGEST_SIDE.get(suffix, large),
    }
    for what, lacking in lacks.items():
        if lacking:
            raise SrlabError(f"{source} has {what}, which {target.name} cannot hold; write a PNG or TIFF instead.")


def _bytes_of(image: pyvips.Image) -> int:
    """Bytes of a pixel."""
    return image.bands * (2 if image.format == "ushort" else 1)


def _write_pixels(
    file: BinaryIO, path: Path, image: pyvips.Image, upscaler: Upscaler, scale: int, **options: int | bool | str
) -> None:
    """Write the SR pixels as they stand in memory, tile by tile, each row of a tile at its place."""
    colours, alpha = _split(image, scale) if image.hasalpha() else (image, None)
    kind, largest = (np.uint8, 255) if image.format == "uchar" else (np.uint16, 65535)

    def read(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        levels = _piece(path, colours, top, bottom, left, right).astype(np.float32)
        return (torch.from_numpy(levels) / largest).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)

    for top, left, _, sr in upscale_tiles(upscaler, read, (image.height, image.width), scale, **options):
        if colours.bands == 1:
            sr = full_range(luma(sr)).clamp(0, 1)
        levels = to_uint8(sr) if kind == np.uint8 else (sr * largest + 0.5).floor().to(torch.int32)
        levels = levels[0].permute(1, 2, 0).numpy().astype(kind)
        if alpha is not None:
            shown = _piece(path, alpha, top, top + levels.shape[0], left, left + levels.shape[1])
            levels = np.concatenate([levels, shown], axis=2)
        for row, line in enumerate(levels, top):
            file.seek((row * image.width * scale + left) * _bytes_of(image))
            file.write(line.tobytes())


def _split(image: pyvips.Image, scale: int) -> tuple[pyvips.Image, pyvips.Image]:
    """Colours to be enlarged, and alpha that is enlarged already, by bicubic interpolation.

    Where nothing shows, a file may have any colour, mostly black. An upscaler would mix it into the edges of what
    shows, so it gives way to the colours around it, weighted by their alpha.
    """
    alpha = image[image.bands - 1]
    around = image.premultiply().gaussblur(4).unpremultiply().rint().cast(image.format)
    colours = (alpha == 0).ifthenelse(around, image).extract_band(0, n=image.bands - 1)
    large = alpha.affine(
        [scale, 0, 0, scale],
        interpolate=pyvips.Interpolate.new("bicubic"),
        odx=(scale - 1) / 2,  # between the centres of the first pixels
        ody=(scale - 1) / 2,
        oarea=[0, 0, image.width * scale, image.height * scale],
        extend="mirror",
    )
    return colours, large


def _piece(path: Path, image: pyvips.Image, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """Levels ``(rows, columns, channels)`` of a piece."""
    try:
        levels = image.crop(left, top, right - left, bottom - top).numpy()
    except pyvips.Error as error:
        if "write failed" in str(error):  # of the file that libvips decodes a large image into
            raise SrlabError(
                f"{path} could not be decoded into {tempfile.gettempdir()}, which is full; free some space there, or "
                "name another folder in TMPDIR."
            ) from error
        raise damaged(path, error) from error
    return levels.reshape(bottom - top, right - left, image.bands)


def open_image(path: Path) -> pyvips.Image:
    """Pixels as they are to be upscaled: upright, grey or RGB, with or without alpha, of 8 or 16 bits."""
    try:
        with reading(path):
            with path.open("rb") as file:
                bitmap = file.read(2) == b"BM"  # not among the formats of libvips
            image = None
            if not bitmap:
                # Random access: libvips decodes the file once, into memory or, if it is large, into a temporary file.
                image = pyvips.Image.new_from_file(str(path), fail_on="error", revalidate=True).autorot()
            if image is None or image.interpretation == "cmyk" or _holds_luma(path):
                image = _by_pillow(path, image)
            elif image.interpretation not in PLAIN and image.format != "float":  # those are refused below
                image = image.colourspace("srgb")
    except pyvips.Error as error:
        raise unreadable(path) from error
    if image.width * image.height > max(LARGEST_BOMB, PIXELS_PER_BYTE * path.stat().st_size):
        raise SrlabError(
            f"{path} says that it has {image.width}x{image.height} pixels, far more than fit into a file of its size; "
            "replace the file."
        )
    if image.format not in ("uchar", "ushort") or image.bands > 4:
        channels = "1 channel" if image.bands == 1 else f"{image.bands} channels"
        raise SrlabError(f"{path} has {channels} of the type {image.format}; save it as grey or RGB with 8 or 16 bits.")
    grey, colour = ("b-w", "srgb") if image.format == "uchar" else ("grey16", "rgb16")
    return image.copy(interpretation=colour if image.bands > 2 else grey)  # a file may say less than its channels do


def _holds_luma(path: Path) -> bool:
    """Whether it is a TIFF of YCbCr, which libvips 8.18 takes for RGB unless it is compressed as JPEG."""
    with suppress(UnidentifiedImageError, Image.DecompressionBombError), Image.open(path, formats=("TIFF",)) as header:
        return header.mode == "YCbCr"
    return False


def _by_pillow(path: Path, image: pyvips.Image | None) -> pyvips.Image:
    """The pixels that `srlab.data.images.read_image` gives, with the metadata that is still true of them."""
    with open_upright(path) as upright:
        if upright.mode == "CMYK":
            upright = cmyk_to_rgb(path, upright)
        mode = "L" if upright.mode in ("1", "L") else "RGBA" if upright.has_transparency_data else "RGB"
        made = pyvips.Image.new_from_array(np.asarray(upright.convert(mode)))
    if image is not None:
        _copy_metadata(image, made, METADATA[1:])  # without the profile, which was one of inks
    return made


def _copy_metadata(source: pyvips.Image, target: pyvips.Image, names: Sequence[str]) -> None:
    for name in names:
        if source.get_typeof(name):
            target.set_type(source.get_typeof(name), name, source.get(name))


def _encode(pixels: Path, encoded: Path, image: pyvips.Image, scale: int, suffix: str) -> None:
    """Turn raw pixels into an image file with the metadata of the source, row by row.

    Parameters
    ----------
    pixels, encoded
        Files; the second is written.
    image
        The source.
    scale
        SR pixels per pixel of the source.
    suffix
        One of `SAVERS`.

    Raises
    ------
    OSError
        It cannot be written.
    """
    # Revalidated, or it may be the file of this name that was there before.
    sides = (image.width * scale, image.height * scale)
    kind = {"format": image.format, "interpretation": image.interpretation}
    raw = pyvips.Image.rawload(str(pixels), *sides, image.bands, access="sequential", revalidate=True, **kind)
    raw = raw.copy(xres=image.xres, yres=image.yres)
    _copy_metadata(image, raw, METADATA)
    raw.set_type(pyvips.GValue.gint_type, "orientation", 1)
    saver, options = SAVERS[suffix]
    if saver == "tiffsave":  # not every program reads those large ones, so only if needed
        options = options | {"bigtiff": pixels.stat().st_size > 2**31}
    try:
        getattr(raw, saver)(str(encoded), **options)
    except pyvips.Error as error:
        raise OSError(" ".join(str(error).split())) from error
