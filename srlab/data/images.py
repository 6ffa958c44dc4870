"""Images as tensors: reading and writing files, rounding to 8 bits, luma, cropping.

Networks and metrics use RGB, float32, in [0, 1]: ``(3, H, W)`` for an image and ``(N, 3, H, W)`` for a batch. Image
sets have 8-bit levels (uint8).
"""

import io
import math
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import expand_user, find_in_course
from srlab.text import printable, some

WRITTEN = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TIFF = (".tif", ".tiff")
EXTENSIONS = (*WRITTEN, ".jfif", *TIFF)  # of files that are read; .jfif is Windows' name for a JPEG
LARGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # pixels that a format can store
# Only these are decoded: for an EPS file Pillow would run Ghostscript. A TIFF must also have its extension, because a
# camera raw begins like a TIFF, and Pillow would read its preview.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
TILE_WIDTH, TILE_LENGTH, LONG8, MAX_ENTRIES = 322, 323, 16, 4096  # of TIFF; the last one is libtiff's limit
MAX_SCANS = 1000  # of a JPEG, which usually has about 10 if it is progressive; each takes time, and may have 10 bytes
# The start of a scan up to the number of its channels. The marker alone is also found in a video behind a photo.
SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
GRAY = ("1", "L", "LA")  # modes of Pillow
DEEP_GRAY = ("I;16", "I;16B", "I;16L", "I;16N")
MODES = (*GRAY, *DEEP_GRAY, "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# The EXIF entry of the orientation up to its value: tag, type and count, in either order of bytes.
UPRIGHT = re.compile(rb"(?:\x01\x12\0\x03\0\0\0\x01\0|\x12\x01\x03\0\x01\0\0\0)[\x01-\x08]")
# Entries of Pillow's `info` that we use; a text in a PNG can have the same name, and would take their place.
RESERVED = {"transparency", "icc_profile", "exif", "dpi", "gamma", "chromaticity"}
# Bytes of a compressed text or profile in a PNG; Pillow's limit of 1 MiB rejects some XMP.
MAX_TEXT_CHUNK = 1 << 26
TEXT_LIMIT = Lock()

# ITU-R BT.601, the "studio range" luma of MATLAB's rgb2ycbcr, in units of [0, 1]: black is 16/255, white 235/255.
LUMA_WEIGHTS = (65.481 / 255, 128.553 / 255, 24.966 / 255)
LUMA_OFFSET = 16 / 255
# An image in [0, 1] may leave the range a little. One in [-1, 1] goes below -0.5 wherever it is dark, and 8-bit levels
# as floats go above 2 unless all is black.
LOWEST, HIGHEST = -0.5, 2.0


def read_image(path: str | os.PathLike, keep_gray: bool = False) -> torch.Tensor:
    """Read an image file as an RGB tensor that shows what an image viewer shows.

    Grayscale, palette, CMYK (Pillow's formula, without the profile) and 16-bit files become RGB, an alpha channel is
    composited onto white, and the EXIF orientation is applied. 16-bit grayscale keeps all bits, and 16-bit color 8. A
    line on stderr names what is not used.

    Parameters
    ----------
    path
        PNG, JPEG, BMP, WebP or TIFF file with 8 or 16 bits per channel. Its content determines which it is, but a TIFF
        must end in ``.tif`` or ``.tiff``.
    keep_gray
        Keep the single channel of a grayscale file.

    Returns
    -------
    torch.Tensor
        ``(3, H, W)``, or ``(1, H, W)`` for a grayscale file with `keep_gray`; float32 in [0, 1].
    """
    lost: Lost = {}
    pixels = to_float(read_pixels(find_in_course(path), lost))
    print_lost(lost)
    return pixels.expand(-1, -1, 1 if keep_gray and pixels.shape[2] == 1 else 3).permute(2, 0, 1).contiguous()


Lost = dict[str, list[str]]  # what is not used -> names of the files


def read_pixels(path: Path, lost: Lost) -> torch.Tensor:
    """Read an image file as ``(H, W, 1 or 3)``: uint8 levels, or float32 in [0, 1] for 16-bit grayscale.

    What is in the file and not in these pixels is added to `lost`, for one line about many files (`print_lost`).
    """
    image = open_upright(path)
    for what in unused(image):
        lost.setdefault(what, []).append(path.name)
    return torch.from_numpy(pixels_of(image))


def print_lost(lost: Mapping[str, list[str]]) -> None:
    """Print in one line on stderr what is not used from image files."""
    if lost:
        each = "; ".join(f"{what} ({some(sorted(names))})" for what, names in sorted(lost.items()))
        print(printable(f"Not used: {each}."), file=sys.stderr)


def open_upright(path: Path, check: Callable[[Image.Image], None] = lambda header: None) -> Image.Image:
    """Open and decode an image file with Pillow, and apply its EXIF orientation.

    Before anything is decoded, `check` gets the image with its size and mode, and may raise an SrlabError. Whatever
    Pillow raises becomes one, too. `info` gets two entries: ``bits`` per channel in the file (8 or 16),
    and whether it has ``several`` images.
    """
    if not path.is_file():
        raise SrlabError(f"Image file {path} not found. Check the path.")
    try:
        try:
            image = _decoded(path, check)
        except ValueError as error:
            if "MAX_TEXT_CHUNK" not in str(error):
                raise
            with _much_text():
                image = _decoded(path, check)
    except SrlabError:
        raise
    except MemoryError as error:  # so that one huge photo does not end a batch
        raise SrlabError(f"The image {path} does not fit into memory. Downscale or crop it.") from error
    except UnidentifiedImageError as error:
        raise _unreadable(path) from error
    except Exception as error:  # of many kinds, for a damaged file, one without permission, or one with too many pixels
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SrlabError(f"The image {path} cannot be read ({reason}). Replace the file if it is damaged.") from error
    if image.mode not in MODES:
        raise _unreadable(path)
    _turn_upright(path, image)
    return image


def _unreadable(path: Path) -> SrlabError:
    return SrlabError(
        f"{path} is not a readable image, or has an unusual pixel format. Use a PNG, JPEG, BMP, WebP or TIFF file with "
        "8 or 16 bits per channel. Save a camera raw, HEIC or GIF file as one of these first."
    )


def _decoded(path: Path, check: Callable[[Image.Image], None]) -> Image.Image:
    """Return the first image of a file with its pixels in memory."""
    formats = (*FORMATS, "TIFF") if path.suffix.lower() in TIFF else FORMATS
    with Image.open(path, formats=formats) as image:
        check(image)
        if isinstance(image, TiffImageFile):
            _refuse_large_tiles(path, image)
        if isinstance(image, JpegImageFile) and len(SCAN.findall(path.read_bytes())) > MAX_SCANS:
            raise ValueError(f"more than {MAX_SCANS} scans")
        # Look before Pillow reduces colors to 8 bits. In a BMP, BGR;16 means 16 bits per pixel.
        bits = 16 if ";16" in str(image.tile) and image.format != "BMP" else 8
        several = getattr(image, "is_animated", False)  # counting the pages of a TIFF would drop the pixels
        image.load()
        for name in RESERVED & {*(getattr(image, "text", None) or ())}:
            image.info.pop(name, None)
        if image.mode in ("P", "PA") and image.has_transparency_data:
            image.convert("RGBA")  # as `pixels_of` will; a damaged palette raises an error here
        image.info |= {"bits": bits, "several": several}
        return image


def _refuse_large_tiles(path: Path, image: TiffImageFile) -> None:
    """Apply Pillow's limit on pixels to a TIFF's tiles, too: libtiff decodes each as a whole.

    An entry twice, or of a type that only libtiff reads, is rejected: libtiff could find other tiles than Pillow.
    """
    tags, limit = image.tag_v2, 2 * (Image.MAX_IMAGE_PIXELS or math.inf)
    width, length = (tags.get(tag, 0) for tag in (TILE_WIDTH, TILE_LENGTH))
    if type(width) is not int or type(length) is not int:  # of another type or count; bytes times an int fill memory
        raise ValueError("ambiguous TIFF entries")
    if (pixels := width * length) > limit:
        raise Image.DecompressionBombError(f"Tile size ({pixels} pixels) exceeds limit of {limit} pixels")
    order = "<" if tags.prefix == b"II" else ">"
    with path.open("rb") as file:
        count, entry, size = ("Q", "HH16x", 20) if b"+" in file.read(4) else ("H", "HH8x", 12)  # "+" in a BigTIFF
        file.seek(tags.offset)
        (entries,) = struct.unpack(order + count, file.read(struct.calcsize(order + count)))
        types = list(struct.iter_unpack(order + entry, file.read(size * min(entries, MAX_ENTRIES))))
    if len(dict(types)) < len(types) or max(kind for _, kind in types) > LONG8:
        raise ValueError("ambiguous TIFF entries")


@contextmanager
def _much_text() -> Iterator[None]:
    """Raise Pillow's limit for texts in a PNG during the block."""
    with TEXT_LIMIT:
        usual, PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_CHUNK, MAX_TEXT_CHUNK
        try:
            yield
        finally:
            PngImagePlugin.MAX_TEXT_CHUNK = usual


def _turn_upright(path: Path, image: Image.Image) -> None:
    """Apply the EXIF orientation; damaged EXIF data are left out, because the pixels are readable anyway."""
    try:
        # Pillow would write the EXIF data without their preview, and move the notes of the camera's maker.
        exif, found = UPRIGHT.subn(lambda entry: entry[0][:-1] + b"\1", image.info.get("exif", b""), count=1)
        ImageOps.exif_transpose(image, in_place=True)
        if found:
            image.info["exif"] = exif
    except Exception:  # of many kinds; if the orientation is readable, the pixels are upright by now
        print(printable(f"The EXIF data of {path.name} are damaged and were left out."), file=sys.stderr)
        image.info.pop("exif", None)


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the pixels of an opened image in any of `MODES`, in the format of `read_pixels`."""
    if image.mode in DEEP_GRAY:  # Pillow's conversion would clip these, not scale them
        levels = np.asarray(image).astype(np.float32)[..., None] / 65535
        return 1 - levels if getattr(image, "tag_v2", {}).get(262) == 0 else levels  # a TIFF in which 0 is white
    gray = image.mode in GRAY
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if gray:
        return np.array(image.convert("L"))[..., None]
    return np.array(image.convert("RGB"))  # a copy, because Pillow's buffer is read-only


def alpha_of(image: Image.Image) -> np.ndarray | None:
    """Return the opacity ``(H, W)``, uint8, of an opened image, or None if all of it is opaque."""
    if image.mode in DEEP_GRAY or not image.has_transparency_data:
        return None
    alpha = np.array(image.convert("RGBA").getchannel("A"))
    return None if alpha.min() == 255 else alpha


def unused(image: Image.Image) -> Iterator[str]:
    """Yield what an opened image contains besides the pixels of `pixels_of`."""
    if image.info["several"]:
        yield "all images but the first"
    if alpha_of(image) is not None:
        yield "transparency, now white"
    if image.info["bits"] > 8 and image.mode not in DEEP_GRAY:
        yield "the lower 8 of 16 bits"


def write_image(image: torch.Tensor, path: str | os.PathLike) -> Path:
    """Write an image to a file; the extension of the name determines the format.

    The file appears under its name only when it is complete. Missing folders are created. Return the path with ``~``
    expanded.

    Parameters
    ----------
    image
        ``(3, H, W)`` or ``(1, 3, H, W)``; float in [0, 1] or uint8. Values a little outside [0, 1] are clamped
        (`check_range`).
    """
    path = expand_user(path)
    if image.ndim == 4 and len(image) == 1:
        image = image[0]
    if image.ndim != 3 or len(image) != 3 or not image.numel():
        raise SrlabError(f"write_image needs one RGB image (3, H, W), but got a tensor of shape {tuple(image.shape)}.")
    image = to_float(image)
    check_range(image, f"The image for {path}")
    if path.suffix.lower() not in WRITTEN:
        raise SrlabError(f"{path.name} does not have a valid extension. Use one of {', '.join(WRITTEN)}.")
    if (side := max(image.shape)) > LARGEST_SIDE.get(path.suffix.lower(), side):
        raise SrlabError(f"{path.name} cannot store {side} pixels per side. Write a PNG instead.")
    write_atomic(path, encoded(Image.fromarray(to_uint8(image).permute(1, 2, 0).cpu().numpy()), path))
    return path


def encoded(image: Image.Image, path: Path, **options: Any) -> memoryview:
    """Return the bytes of an image file, in the format of the path's suffix and with Pillow's options for it.

    Pillow does not write the file itself, because it does not always notice when a disk is full.
    """
    file = io.BytesIO()
    image.save(file, Image.registered_extensions()[path.suffix.lower()], **options)
    return file.getbuffer()


def check_range(image: torch.Tensor, what: str) -> None:
    """Reject a float image with a value that is not between `LOWEST` and `HIGHEST`; `what` begins the message."""
    if not image.isfinite().all():
        raise SrlabError(f"{what} contains NaN or infinity. Check how it was produced.")
    lowest, highest = image.min().item(), image.max().item()
    if lowest < LOWEST or highest > HIGHEST:
        raise SrlabError(
            f"{what} has values from {lowest:.4g} to {highest:.4g}, but floats must be in [0, 1]. Divide levels by "
            "255, convert [-1, 1] with (x + 1) / 2, and clamp the output of a network."
        )


def to_float(image: torch.Tensor) -> torch.Tensor:
    """Turn 8-bit levels (uint8, 0 to 255) into float32 in [0, 1], and 16-bit floats into float32.

    Other floats are returned unchanged, and other types are rejected.
    """
    if image.dtype == torch.uint8:
        return image.float() / 255
    if image.dtype in (torch.float16, torch.bfloat16):
        return image.float()
    if not image.is_floating_point():
        raise SrlabError(
            f"Images must be float in [0, 1] or uint8 levels, but this one is {image.dtype}. Convert it first."
        )
    return image


def to_uint8(image: torch.Tensor) -> torch.Tensor:
    """Round an image in [0, 1] to 8-bit levels (uint8 passes unchanged).

    Halves are rounded up as in MATLAB. The denominator of a bicubic weight is a power of two, so exact halves occur,
    and float32 puts them slightly above or below. The small offset rounds them all up. It is only as large as float32
    needs at 255, because it also rounds up values that are less than 2e-5 of a level below a half.
    """
    if image.dtype == torch.uint8:
        return image
    return (to_float(image) * 255 + (0.5 + 2e-5)).floor().clamp(0, 255).to(torch.uint8)


def quantize(image: torch.Tensor) -> torch.Tensor:
    """Round a float image in [0, 1] to 8-bit levels, and return it as float32 in [0, 1]."""
    return to_float(to_uint8(image))


def luma(image: torch.Tensor) -> torch.Tensor:
    """Compute the BT.601 luma of an RGB image in the studio range, on which super-resolution papers compute metrics.

    ``Y = (65.481 R + 128.553 G + 24.966 B + 16) / 255``

    Parameters
    ----------
    image
        ``(..., 3, H, W)``, float in [0, 1] or uint8.

    Returns
    -------
    torch.Tensor
        ``(..., 1, H, W)``, in [16/255, 235/255].
    """
    image = to_float(image)
    weights = torch.tensor(LUMA_WEIGHTS, dtype=image.dtype, device=image.device).view(3, 1, 1)
    return (image * weights).sum(dim=-3, keepdim=True) + LUMA_OFFSET


def full_range(y: torch.Tensor) -> torch.Tensor:
    """Stretch a studio-range luma [16/255, 235/255] to [0, 1]; a gray image gets back its gray values."""
    return (y - LUMA_OFFSET) * (255 / 219)


def mod_crop(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Crop ``(..., H, W)`` at the bottom and right until both are multiples of `scale`; the result is a view."""
    height, width = image.shape[-2:]
    if scale < 1:
        raise SrlabError(f"The scale must be at least 1, but is {scale}.")
    if min(height, width) < scale:
        raise SrlabError(f"An image of {width}x{height} pixels is too small for scale {scale}. Use a larger one.")
    return image[..., : height - height % scale, : width - width % scale]
