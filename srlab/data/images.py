"""Images as tensors: reading and writing files, rounding to 8 bits, luma, cropping.

Networks and metrics use RGB, float32, in [0, 1]: ``(3, H, W)`` for an image and ``(N, 3, H, W)`` for a batch. Image
sets have 8-bit levels (uint8).
"""

import io
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError
from PIL.Image import Transpose

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import expanded, from_home
from srlab.text import printable

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LARGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # pixels that a format can store
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")  # only these are decoded: for an EPS file Pillow would run Ghostscript
# Camera raw and phone formats, which another program must convert; some begin with a preview that is a valid TIFF.
OTHER_FORMATS = (".nef", ".cr2", ".cr3", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".heic", ".heif", ".avif")
GRAY = ("1", "L", "LA", "La")  # modes of Pillow
REDUCED, DNG_VERSION = 254, 50706  # TIFF tags: the image is a preview of another one; the file is a DNG
BITS, COMPRESSION, PHOTOMETRIC, CHANNELS, PLANES = 258, 259, 262, 277, 284  # TIFF tags
# Bytes of a text or a profile in a PNG; Pillow's limit of 1 MiB rejects some XMP.
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 26

# EXIF orientation -> operation that turns the pixels upright; 1 is upright, and other numbers are invalid.
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

# ITU-R BT.601, the "studio range" luma of MATLAB's rgb2ycbcr, in units of [0, 1]: black is 16/255, white 235/255.
LUMA_WEIGHTS = (65.481 / 255, 128.553 / 255, 24.966 / 255)
LUMA_OFFSET = 16 / 255
LOWEST = -0.5  # an image in [0, 1] may undershoot 0 a little; one in [-1, 1] goes below this wherever it is dark


def read_image(path: str | os.PathLike, keep_gray: bool = False) -> torch.Tensor:
    """Read an image file as an RGB tensor that shows what an image viewer shows.

    Grayscale, palette, CMYK (Pillow's formula, without the profile) and 16-bit files become RGB, an alpha channel is
    composited onto white, and the EXIF orientation is applied. 16-bit grayscale keeps all bits, and 16-bit color 8.

    Parameters
    ----------
    path
        PNG, JPEG, BMP, TIFF or WebP file; its content determines the format, not its name.
    keep_gray
        Keep the single channel of a grayscale file.

    Returns
    -------
    torch.Tensor
        ``(3, H, W)``, or ``(1, H, W)`` for a grayscale file with `keep_gray`; float32 in [0, 1].
    """
    pixels = to_float(read_pixels(expanded(path)))
    return pixels.expand(-1, -1, 1 if keep_gray and pixels.shape[2] == 1 else 3).permute(2, 0, 1).contiguous()


def read_pixels(path: Path) -> torch.Tensor:
    """Read an image file as ``(H, W, 1 or 3)``: uint8 levels, or float32 in [0, 1] for 16-bit grayscale."""
    with open_upright(path) as image:
        return torch.from_numpy(pixels_of(path, image))


@contextmanager
def open_upright(path: Path) -> Iterator[Image.Image]:
    """Open and decode an image file with Pillow, and apply its EXIF orientation.

    Pillow's errors, here and in the block, become an SrlabError.
    """
    try:
        if not path.is_file():
            raise SrlabError(f"Image file {path} not found. Check the path.")
        if path.suffix.lower() in OTHER_FORMATS:
            raise SrlabError(f"{path} is a camera raw or phone format. Export it as PNG or TIFF first.")
        # Given a path instead of a file, Pillow 13.0 maps a plain TIFF into memory, and scrambles it if it is rotated.
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            if image.format == "TIFF":
                _check_tiff(path, image.tag_v2)
            if (count := getattr(image, "n_frames", 1)) > 1:
                print(printable(f"{path.name} contains {count} images; the first one is used."), file=sys.stderr)
            image.load()
            turn = TURNS.get(_orientation(image))
            image = _as_written(image, file)
            yield image if turn is None else image.transpose(turn)
    except PermissionError as error:
        raise SrlabError(f"No permission to read {path}. Change its permissions.") from error
    except UnidentifiedImageError as error:
        raise SrlabError(
            f"{path} is not a readable image, or has an unusual pixel format. Use a PNG, JPEG, BMP, TIFF or WebP file "
            "with 8 or 16 bits."
        ) from error
    except Image.DecompressionBombError as error:
        most = 2 * Image.MAX_IMAGE_PIXELS // 10**6
        raise SrlabError(f"{path} declares more than {most} million pixels. Crop or downscale it first.") from error
    except (OSError, SyntaxError, ValueError, AssertionError, struct.error) as error:
        reason = " ".join(str(error).split())
        raise SrlabError(f"The image {path} is damaged or truncated ({reason}). Replace the file.") from error
    except MemoryError as error:  # so that one huge photo does not end a batch
        raise SrlabError(f"The image {path} does not fit into memory. Downscale or crop it.") from error


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF orientation. ImageOps.exif_transpose would rewrite the other entries."""
    with suppress(Exception):  # damaged EXIF data do not make the pixels unreadable
        return image.getexif().get(ExifTags.Base.Orientation)
    return None


def _check_tiff(path: Path, tags: Mapping[int, Any]) -> None:
    """Reject TIFF files that Pillow 13.0 decodes to the wrong image: previews in raw files, and some with planes."""
    if tags.get(REDUCED, 0) & 1 or DNG_VERSION in tags:
        raise SrlabError(
            f"{path} is a camera raw file, which begins with a small preview. Export it as PNG or TIFF first."
        )
    channels, deep = tags.get(CHANNELS, 1), max(tags.get(BITS, (1,))) > 8
    plain = tags.get(COMPRESSION, 1) == 1
    if tags.get(PLANES, 1) == 2 and (channels == 2 or (channels > 1 and deep and plain)):
        raise SrlabError(f"{path} has its channels in separate planes, which cannot be read. Save it as a PNG file.")


def _as_written(image: Image.Image, file: BinaryIO) -> Image.Image:
    """Correct two mistakes that Pillow 13.0 makes.

    It ignores that a 16-bit TIFF may count from white, and that a PNG's transparent value has as many bits as its
    pixels.
    """
    if image.mode.startswith("I;16") and image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0:
        return Image.fromarray(65535 - np.asarray(image))
    value = image.info.get("transparency")
    if image.format != "PNG" or not isinstance(value, int | tuple):
        return image
    file.seek(24)
    bits = file.read(1)[0]  # in the first chunk, IHDR
    if image.mode == "RGB" and bits == 16:  # Pillow keeps the high byte of each color
        image.info["transparency"] = tuple(level >> 8 for level in value)
    if image.mode not in ("L", "I;16"):
        return image
    pixels = np.asarray(image)  # Pillow has scaled fewer bits to 8, but not the transparent value
    levels = np.rint(pixels / 257) if bits == 16 else pixels
    alpha = np.where(pixels == (value if bits == 16 else value * 255 // (2**bits - 1)), 0, 255)
    corrected = Image.fromarray(np.dstack([levels, alpha]).astype(np.uint8))
    corrected.info = {key: entry for key, entry in image.info.items() if key != "transparency"}
    return corrected


def pixels_of(path: Path, image: Image.Image) -> np.ndarray:
    """Return the pixels of an opened image in any Pillow mode, in the format of `read_pixels`."""
    if image.mode in ("F", "I"):
        raise SrlabError(f"{path} has 32 bits per pixel, so its white level is unknown. Save it with 8 or 16 bits.")
    if image.mode.startswith("I;16"):  # Pillow's conversion would clip these, not scale them
        return np.asarray(image)[..., None].astype(np.float32) / 65535
    gray = image.mode in GRAY
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if gray:
        return np.array(image.convert("L"))[..., None]
    return np.array(image.convert("RGB"))  # a copy, because Pillow's buffer is read-only


def write_image(image: torch.Tensor, path: str | os.PathLike) -> Path:
    """Write an image to a file; the extension of the name determines the format.

    The file appears under its name only when it is complete. Missing folders are created. Return the path with ``~``
    expanded.

    Parameters
    ----------
    image
        ``(3, H, W)`` or ``(1, 3, H, W)``; float in [0, 1] or uint8.
    """
    path = from_home(path)
    if image.ndim == 4 and len(image) == 1:
        image = image[0]
    if image.ndim != 3 or len(image) != 3 or not image.numel():
        raise SrlabError(f"write_image needs one RGB image (3, H, W), but got a tensor of shape {tuple(image.shape)}.")
    image = to_float(image)
    if not image.isfinite().all():
        raise SrlabError(f"The image for {path} contains NaN or infinity. Check how it was produced.")
    if image.mean() > 2:  # an image that is above 1 only in places is clamped
        raise SrlabError(
            f"The image for {path} has floats up to {image.max():g}, but must be in [0, 1]. Divide it by 255."
        )
    if path.suffix.lower() not in EXTENSIONS:
        raise SrlabError(f"{path.name} does not have an image extension. Use one of {', '.join(EXTENSIONS)}.")
    if (side := max(image.shape)) > LARGEST_SIDE.get(path.suffix.lower(), side):
        raise SrlabError(f"{path.name} cannot store {side} pixels per side. Write a PNG or TIFF instead.")
    write_atomic(path, encoded(Image.fromarray(to_uint8(image).permute(1, 2, 0).cpu().numpy()), path))
    return path


def encoded(image: Image.Image, path: Path, **options: object) -> memoryview:
    """Return the bytes of an image file, in the format of the path's suffix and with Pillow's options for it.

    Pillow does not write the file itself, because it does not always notice when a disk is full.
    """
    file = io.BytesIO()
    image.save(file, Image.registered_extensions()[path.suffix.lower()], **options)
    return file.getbuffer()


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


def check_scale(scale: int) -> None:
    """Raise SrlabError if a scale is not a whole number of at least 1."""
    if type(scale) is not int or scale < 1:
        raise SrlabError(f"The scale must be an integer of at least 1, but is {scale!r}.")


def mod_crop(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Crop ``(..., H, W)`` at the bottom and right until both are multiples of `scale`; the result is a view."""
    height, width = image.shape[-2:]
    check_scale(scale)
    if min(height, width) < scale:
        raise SrlabError(f"An image of {width}x{height} pixels is too small for scale {scale}. Use a larger one.")
    return image[..., : height - height % scale, : width - width % scale]
