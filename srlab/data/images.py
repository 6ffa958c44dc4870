"""Images as tensors: reading and writing files, rounding to 8 bits, luma, cropping.

Networks and metrics use RGB, float32, in [0, 1]: ``(3, H, W)`` for an image and ``(N, 3, H, W)`` for a batch. Image
sets have 8-bit levels (uint8).
"""

import io
import os
import re
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import expand_user, find_in_course

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TIFF = (".tif", ".tiff")  # not read, so named where a folder has them
LARGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # pixels that a format can store
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # only these are decoded: for an EPS file Pillow would run Ghostscript
GRAY = ("1", "L", "LA", "La")  # modes of Pillow
# The EXIF entry of the orientation up to its value: tag, type and count, in either order of bytes.
UPRIGHT = re.compile(rb"(?:\x01\x12\0\x03\0\0\0\x01\0|\x12\x01\x03\0\x01\0\0\0)[\x01-\x08]")
# Bytes of a text or a profile in a PNG; Pillow's limit of 1 MiB rejects some XMP.
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 26

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
        PNG, JPEG, BMP or WebP file. Its content determines which it is.
    keep_gray
        Keep the single channel of a grayscale file.

    Returns
    -------
    torch.Tensor
        ``(3, H, W)``, or ``(1, H, W)`` for a grayscale file with `keep_gray`; float32 in [0, 1].
    """
    pixels = to_float(read_pixels(find_in_course(path)))
    return pixels.expand(-1, -1, 1 if keep_gray and pixels.shape[2] == 1 else 3).permute(2, 0, 1).contiguous()


def read_pixels(path: Path) -> torch.Tensor:
    """Read an image file as ``(H, W, 1 or 3)``: uint8 levels, or float32 in [0, 1] for 16-bit grayscale."""
    with open_upright(path) as image:
        if (count := image.info["images"]) > 1:
            print(f"{path.name} contains {count} images; the first one is used.", file=sys.stderr)
        return torch.from_numpy(pixels_of(image))


@contextmanager
def open_upright(path: Path) -> Iterator[Image.Image]:
    """Open and decode an image file with Pillow, and apply its EXIF orientation.

    Pillow's errors, here and in the block, become an SrlabError.
    """
    try:
        if not path.is_file():
            raise SrlabError(f"Image file {path} not found. Check the path.")
        with Image.open(path, formats=FORMATS) as image:
            # Look before Pillow reduces colors to 8 bits. In a BMP, BGR;16 means 16 bits per pixel.
            bits = 16 if ";16" in str(image.tile) and image.format != "BMP" else 8
            image.load()
            image.info |= {"bits": bits, "images": getattr(image, "n_frames", 1)}
            _turn_upright(path, image)
            yield image
    except PermissionError as error:
        raise SrlabError(f"No permission to read {path}. Change its permissions.") from error
    except UnidentifiedImageError as error:
        raise SrlabError(
            f"{path} is not a readable image, or has an unusual pixel format. Use a PNG, JPEG, BMP or WebP file "
            "with 8 or 16 bits, and save a TIFF, camera raw, HEIC or GIF file as PNG first."
        ) from error
    except Image.DecompressionBombError as error:
        most = 2 * Image.MAX_IMAGE_PIXELS // 10**6
        raise SrlabError(f"{path} declares more than {most} million pixels. Crop or downscale it first.") from error
    except (OSError, SyntaxError, ValueError, AssertionError, struct.error) as error:
        reason = " ".join(str(error).split())
        raise SrlabError(f"The image {path} is damaged or truncated ({reason}). Replace the file.") from error
    except MemoryError as error:  # so that one huge photo does not end a batch
        raise SrlabError(f"The image {path} does not fit into memory. Downscale or crop it.") from error


def _turn_upright(path: Path, image: Image.Image) -> None:
    """Apply the EXIF orientation; damaged EXIF data are left out, because the pixels are readable anyway."""
    try:
        # Pillow would write the EXIF data without their preview, and move the notes of the camera's maker.
        exif, found = UPRIGHT.subn(lambda entry: entry[0][:-1] + b"\1", image.info.get("exif", b""), count=1)
        ImageOps.exif_transpose(image, in_place=True)
        if found:
            image.info["exif"] = exif
    except Exception:  # of many kinds; if the orientation is readable, the pixels are upright by now
        print(f"The EXIF data of {path.name} are damaged and were left out.", file=sys.stderr)
        image.info.pop("exif", None)


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the pixels of an opened image in any Pillow mode, in the format of `read_pixels`."""
    if image.mode == "I;16":  # Pillow's conversion would clip these, not scale them
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
    path = expand_user(path)
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
        raise SrlabError(f"{path.name} does not have a valid extension. Use one of {', '.join(EXTENSIONS)}.")
    if (side := max(image.shape)) > LARGEST_SIDE.get(path.suffix.lower(), side):
        raise SrlabError(f"{path.name} cannot store {side} pixels per side. Write a PNG instead.")
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


def mod_crop(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Crop ``(..., H, W)`` at the bottom and right until both are multiples of `scale`; the result is a view."""
    height, width = image.shape[-2:]
    if scale < 1:
        raise SrlabError(f"The scale must be at least 1, but is {scale}.")
    if min(height, width) < scale:
        raise SrlabError(f"An image of {width}x{height} pixels is too small for scale {scale}. Use a larger one.")
    return image[..., : height - height % scale, : width - width % scale]
