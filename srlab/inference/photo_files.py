"""Image files through libvips: read piece by piece, written row by row, whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pyvips
import torch
from PIL import Image, UnidentifiedImageError

from srlab.base.devices import explaining_lack_of_memory
from srlab.base.errors import SrlabError
from srlab.data.images import FORMATS, cmyk_to_rgb, open_upright

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
# EXIF entries that every file has, or gets from libvips: they say nothing that the pixels do not.
PLAIN_EXIF = ("Orientation", "XResolution", "YResolution", "ResolutionUnit", "ExifVersion", "FlashpixVersion")
PLAIN_EXIF += ("ColorSpace", "ComponentsConfiguration", "YCbCrPositioning", "PixelXDimension", "PixelYDimension")
# What a file holds decides how it is read, not its name: only these, and raw pixels of our own, are read at all.
pyvips.operation_block_set("VipsForeignLoad", True)
for _kind in ("Png", "Jpeg", "Tiff", "Webp", "Nsgif", "Heif", "Raw"):
    pyvips.operation_block_set(f"VipsForeignLoad{_kind}", False)
# More pixels than the first in a file with fewer bytes than the second asks for are a trap.
LARGEST_BOMB, PIXELS_PER_BYTE = 2 * Image.MAX_IMAGE_PIXELS, 2000
METADATA = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data")


def open_image(path: Path) -> pyvips.Image:
    """Pixels as they are to be upscaled: upright, grey or RGB, with or without alpha, of 8 or 16 bits."""
    if not path.is_file():
        raise SrlabError(f"There is no image file at {path}; check the path.")
    try:
        if _is_bitmap(path):  # not among the formats of libvips
            with Image.open(path, formats=FORMATS) as bitmap:
                grey = bitmap.mode in ("1", "L")
                image = pyvips.Image.new_from_array(np.asarray(bitmap.convert("L" if grey else "RGB")))
        else:
            # Random access: libvips decodes the file once, into memory or, when it is large, into a temporary file.
            image = pyvips.Image.new_from_file(str(path), fail_on="error", revalidate=True).autorot()
    except PermissionError as error:
        raise SrlabError(f"{path} may not be read by you; change its permissions.") from error
    except (pyvips.Error, UnidentifiedImageError) as error:
        if not os.access(path, os.R_OK):
            raise SrlabError(f"{path} may not be read by you; change its permissions.") from error
        raise SrlabError(f"{path} is not an image that can be read; give a PNG, JPEG, TIFF or WebP file.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(path, error) from error
    if image.width * image.height > max(LARGEST_BOMB, PIXELS_PER_BYTE * path.stat().st_size):
        raise SrlabError(
            f"{path} says that it has {image.width}x{image.height} pixels, far more than fit into a file of its size; "
            "replace the file."
        )
    try:
        if image.interpretation == "cmyk" or _holds_luma(path):
            image = _from_cmyk(path, image)
        elif image.interpretation not in PLAIN and image.format != "float":  # those are refused below
            image = image.colourspace("srgb")
    except pyvips.Error as error:
        raise _damaged(path, error) from error
    if image.format not in ("uchar", "ushort") or image.bands > 4:
        channels = "1 channel" if image.bands == 1 else f"{image.bands} channels"
        raise SrlabError(f"{path} has {channels} of the type {image.format}; save it as grey or RGB with 8 or 16 bits.")
    return image.copy(interpretation=_interpretation(image))  # a file may say less than its channels do


def _is_bitmap(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"BM"


def _holds_luma(path: Path) -> bool:
    """Whether it is a TIFF of YCbCr, which libvips 8.18 takes for RGB unless it is compressed as JPEG."""
    with suppress(UnidentifiedImageError, Image.DecompressionBombError), Image.open(path, formats=("TIFF",)) as header:
        return header.mode == "YCbCr"
    return False


def _from_cmyk(path: Path, image: pyvips.Image) -> pyvips.Image:
    """The pixels that `srlab.data.images.read_image` gives, with the metadata that is still true of them."""
    try:
        with open_upright(path) as inks:
            rgb = pyvips.Image.new_from_array(
                np.asarray(cmyk_to_rgb(path, inks) if inks.mode == "CMYK" else inks.convert("RGB"))
            )
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(path, error) from error
    rgb = rgb.copy(xres=image.xres, yres=image.yres)
    for name in image.get_fields():
        if name.startswith(("exif-", "xmp-", "iptc-")):  # without the profile, which was one of inks
            rgb.set_type(image.get_typeof(name), name, image.get(name))
    return rgb


def has_exif(image: pyvips.Image) -> bool:
    """Whether there are EXIF entries that a reader would miss: the camera, the time, the author."""
    entries = (name.rpartition("-")[2] for name in image.get_fields() if name.startswith("exif-ifd"))
    return any(entry not in PLAIN_EXIF for entry in entries)


def _interpretation(image: pyvips.Image) -> str:
    if image.bands < 3:
        return "grey16" if image.format == "ushort" else "b-w"
    return "rgb16" if image.format == "ushort" else "srgb"


def _damaged(path: Path, error: Exception) -> SrlabError:
    reason = " ".join(str(error).split())
    return SrlabError(f"The image {path} is damaged or cut short ({reason}); replace the file.")


def read_piece(path: Path, image: pyvips.Image, top: int, left: int, height: int, width: int) -> torch.Tensor:
    """A piece ``(1, channels, height, width)`` in [0, 1].

    Parameters
    ----------
    path
        Of the file, for the message.
    image
        From `open_image`.
    top, left, height, width
        Of the piece in pixels.

    Raises
    ------
    SrlabError
        The file is damaged there.
    """
    try:
        levels = image.crop(left, top, width, height).numpy().reshape(height, width, image.bands)
    except pyvips.Error as error:
        raise _damaged(path, error) from error
    pixels = torch.from_numpy(levels.astype(np.float32)) / (65535 if image.format == "ushort" else 255)
    return pixels.permute(2, 0, 1)[None]


@contextmanager
def parts_of(target: Path) -> Iterator[tuple[Path, Path]]:
    """Names beside a target for its pixels and for the encoded file; neither of them stays, whatever happens.

    The names are those that `srlab.base.files.sweep_parts` knows. What a killed process left of the same target is
    removed first.
    """
    parts = [target.with_name(f".{target.name}.{kind}.{os.getpid()}.part") for kind in ("pixels", "encoded")]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.iterdir():
            left = re.fullmatch(rf"\.{re.escape(target.name)}\.(pixels|encoded)\.(\d+)\.part", old.name)
            if left and not psutil.pid_exists(int(left[2])):
                old.unlink(missing_ok=True)
        for part in parts:  # of a dead process of our number, or a link that somebody put there
            part.unlink(missing_ok=True)
        with explaining_lack_of_memory(str(target), "close other programs, or give smaller tiles"):
            yield parts[0], parts[1]
    except (OSError, pyvips.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise SrlabError(f"Could not write {target} ({reason}); free some space or choose another folder.") from error
    finally:
        pyvips.cache_set_max(0)  # libvips remembers what it read, and a file that is open takes room without a name
        for part in parts:
            with suppress(OSError):  # there may be no part, or its folder may be none
                part.unlink()


def encode(pixels: Path, encoded: Path, image: pyvips.Image, scale: int, suffix: str) -> None:
    """Turn raw pixels into an image file with the metadata of the source, row by row.

    Parameters
    ----------
    pixels, encoded
        Files from `parts_of`; the second is written.
    image
        The source.
    scale
        SR pixels per pixel of the source.
    suffix
        One of `SAVERS`.
    """
    raw = pyvips.Image.rawload(
        str(pixels),
        image.width * scale,
        image.height * scale,
        image.bands * (2 if image.format == "ushort" else 1),
        access="sequential",
        revalidate=True,  # or it may be the file of this name that was there before
    )
    if image.format == "ushort":
        raw = raw.copy(format="ushort", bands=image.bands)
    raw = raw.copy(interpretation=image.interpretation, xres=image.xres, yres=image.yres)
    for name in METADATA:
        if image.get_typeof(name):
            raw.set_type(image.get_typeof(name), name, image.get(name))
    raw.set_type(pyvips.GValue.gint_type, "orientation", 1)
    saver, options = SAVERS[suffix]
    if saver == "tiffsave":
        options = options | {
            "bigtiff": pixels.stat().st_size > 2**31
        }  # not every program reads those, so only if needed
    getattr(raw, saver)(str(encoded), **options)
