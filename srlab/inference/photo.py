"""Upscaling image files: any size, with their alpha, colour profile and EXIF."""

import math
import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from PIL import ExifTags, Image, ImageFilter

from srlab.base.errors import SrlabError
from srlab.base.files import amount, need_room, open_atomic, refuse_existing
from srlab.base.places import from_home
from srlab.base.text import breaks_line, printable
from srlab.data.images import (
    EXTENSIONS,
    GREY,
    check_scale,
    encoded,
    full_range,
    luma,
    open_upright,
    pixels_of,
    to_float,
    to_uint8,
)
from srlab.inference.tiling import Upscaler, upscale_tiles

# How a format is written.
OPTIONS = {
    ".png": {},
    ".tif": {"compression": "tiff_adobe_deflate"},
    ".tiff": {"compression": "tiff_adobe_deflate"},
    ".jpg": {"quality": 95, "subsampling": "4:4:4"},
    ".jpeg": {"quality": 95, "subsampling": "4:4:4"},
    ".webp": {"lossless": True},
}
LARGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # pixels
NO_ALPHA = (".jpg", ".jpeg")
BYTES = 4  # of a pixel of the result in memory, and at most as many in its file
# EXIF entries that hold for the small photo only: its size, where its subject lies, and of what size it was made.
OF_SIZE = (
    *(ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength, ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight),
    *(0x9214, ExifTags.Base.SubjectLocation, ExifTags.IFD.Interop),  # the first: SubjectArea
)
LONGEST_EXIF = 65533  # bytes that a JPEG takes
HIDDEN_REACH = 4.0  # sigma in pixels, over which colours spread to where nothing shows


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
    """Upscale an image file into another one, of 8 bits a channel.

    The source is read as `srlab.read_image` reads it, but for transparency: grey stays grey, palettes become RGB and
    CMYK becomes RGB. The alpha channel is enlarged by bicubic interpolation, and pixels of which nothing shows take
    the colour of those around them, so that what is hidden gives no halo. The pixels are turned upright first, so the
    EXIF orientation becomes 1, upright. The colour profile and the other EXIF entries are kept, but for those that are
    true of the small photo alone (sizes, places in it, a thumbnail). A TIFF gives none, and gets none of ``Exif`` and
    ``GPS``. Of an animation or a file of many pages the first image is taken.

    The network's memory is bounded by a tile; beside it lie up to eight bytes a pixel of the result. The target
    appears under its name only when it is complete and on the disk.

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
        little room on a disk or in memory, or the upscaler fails as in `srlab.inference.tiling.upscale_tiles`.
    """
    source, target = from_home(source), from_home(target)
    check_scale(scale)
    suffix = target.suffix.lower()
    if suffix not in OPTIONS:
        raise SrlabError(f"Cannot write {target.name}: end its name in {', '.join(OPTIONS)}.")
    if source.exists() and target.resolve().exists() and target.resolve().samefile(source):
        raise SrlabError(f"{source} would be replaced by its own enlargement; choose another name for the result.")
    refuse_existing(target, force)
    with open_upright(source) as image:
        colours, alpha = _split(image)
        lr = torch.from_numpy(pixels_of(source, colours))
        metadata = _metadata(image, suffix)
    height, width, channels = lr.shape
    size = (width * scale, height * scale)
    too_long = max(size) > LARGEST_SIDE.get(suffix, max(size))
    if too_long or (alpha and suffix in NO_ALPHA):
        what = f"{max(size)} enlarged pixels a side" if too_long else "transparency"
        raise SrlabError(f"{source} has {what}, which {target.name} cannot hold; write a PNG or TIFF instead.")
    _check_room(target, size)

    def read(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        return to_float(lr[top:bottom, left:right]).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)

    with open_atomic(target) as file:
        result = Image.new("L" if channels == 1 else "RGB", size)
        label = printable(source.name) if progress is True else progress
        tiles = upscale_tiles(upscaler, read, (height, width), scale, tile, overlap, label, precision)
        for top, left, _, sr in tiles:
            if channels == 1:
                sr = full_range(luma(sr)).clamp(0, 1)
            result.paste(Image.fromarray(to_uint8(sr)[0].permute(1, 2, 0).squeeze(2).numpy()), (left, top))
        if alpha:
            result.putalpha(alpha.resize(size, Image.Resampling.BICUBIC))
        file.write(encoded(result, target, **OPTIONS[suffix], **metadata))
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
        Show it for each image, with its name.

    Returns
    -------
    Summary
        Results written, results that were there already and were left as they are, files skipped because their names
        are not those of images or no line of text, and files that failed, which do not stop the others.

    Raises
    ------
    SrlabError
        Nothing was begun: the folder is not there or has no images, two of them would be written to the same file, both
        folders are the same, or the target is a file.
    """
    source, target = from_home(source), from_home(target)
    summary, images = Summary(), {}
    if not source.is_dir():
        raise SrlabError(f"There is no folder {source}; check the path.")
    for path in sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith(".")):
        if path.suffix.lower() not in EXTENSIONS:
            summary.skipped.append((path, "its name is not that of an image"))
        elif breaks_line(path.name):
            summary.skipped.append((path, "its name is no line of text; rename it"))
        elif path.stem in images:
            other = images[path.stem].name
            raise SrlabError(f"{other} and {path.name} would both become {path.stem}.png; rename one of them.")
        else:
            images[path.stem] = path
    if not images:
        raise SrlabError(f"There are no images in {source}; their names end in {', '.join(EXTENSIONS)}.")
    if target.is_file():
        raise SrlabError(f"{target} is a file, but the results of a folder go into a folder; give the name of one.")
    if target.resolve().exists() and target.resolve().samefile(source):
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


def _check_room(target: Path, size: tuple[int, int]) -> None:
    """Refuse a result for which the disk or the memory is too small, before the work."""
    what, needed = f"{target} ({size[0]}x{size[1]} pixels)", BYTES * math.prod(size)
    need_room(target.parent, needed, what)
    free = psutil.virtual_memory().available
    if 2 * needed > free:  # as it is put together, and its file
        raise SrlabError(
            f"{what} needs {amount(2 * needed)} of memory, and {amount(free)} are free; cut the photo first."
        )


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours without transparency, and the alpha channel, if there is one.

    Where nothing shows, a file may have any colour, mostly black. An upscaler would mix it into the edges of what
    shows, so it gives way to the colours around it, weighted by their alpha.
    """
    if not image.has_transparency_data or image.mode.startswith("I"):
        return image, None
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    premultiplied = rgba.convert("RGBa").filter(ImageFilter.GaussianBlur(HIDDEN_REACH))
    around = premultiplied.convert("RGBA").convert("RGB")
    colours = Image.composite(rgba.convert("RGB"), around, alpha.point(lambda level: 255 * (level > 0)))
    return colours.convert("L" if image.mode in GREY else "RGB"), alpha


def _metadata(image: Image.Image, suffix: str) -> dict[str, bytes]:
    """What of an upright image's metadata is still true of its enlargement, as Pillow writes it into such a file."""
    kept = {}
    made_rgb = image.mode in ("CMYK", "LAB") or (suffix == ".webp" and image.mode.startswith((*GREY, "I")))
    if "icc_profile" in image.info and not made_rgb:  # WebP has no grey
        kept["icc_profile"] = image.info["icc_profile"]
    if "exif" in image.info:
        exif = image.getexif()
        if suffix in (".tif", ".tiff"):  # where Pillow 13.0 fails at them
            for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                exif.pop(part, None)
        if ExifTags.Base.Orientation in exif:
            exif[ExifTags.Base.Orientation] = 1
        with suppress(struct.error, ValueError, TypeError, KeyError):  # damaged entries cannot be written
            camera = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
            for entry in OF_SIZE:  # a thumbnail isn't written in any case
                exif.pop(entry, None)
                camera.pop(entry, None)
            entries = exif.tobytes()
            if suffix not in (".jpg", ".jpeg") or len(entries) <= LONGEST_EXIF:
                kept["exif"] = entries
    return kept
