"""Keep what a viewer and an album need from an image file: color profile, EXIF data, resolution, and a PNG's gamma."""

import io
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

from srlab.data.images import encoded

KEPT = {  # by Pillow's names
    "icc_profile": "color profile",
    "exif": "EXIF data",
    "dpi": "resolution",
    "gamma": "gamma",
    "chromaticity": "primaries",
}
CHUNKS = {"gamma": b"gAMA", "chromaticity": b"cHRM"}  # of a PNG
# The values that a viewer assumes where a file has none.
SRGB = {"gamma": 1 / 2.2, "chromaticity": (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)}


def keep_metadata(image: Image.Image, target: Path, mode: str) -> tuple[dict[str, Any], list[str]]:
    """Return Pillow's options that keep the metadata of an opened image in the target, and names of what is not kept.

    A profile for other channels would give wrong colors, and a rotated resolution wrong sides. Pillow 13.0 fails in
    many ways on metadata from other programs, and formats ignore some of it, so an image of one pixel tries each first.
    """
    kept: dict[str, Any] = {}
    chunks = PngImagePlugin.PngInfo()
    lost = []
    for key, name in KEPT.items():
        value = image.info.get(key)
        if value is None or (key in SRGB and np.allclose(value, SRGB[key], atol=0.005)):
            continue
        with suppress(Exception):
            if key == "exif":  # a WebP has no such header, a JPEG needs it
                value = b"Exif\0\0" + value.removeprefix(b"Exif\0\0")
            trial = {key: value}
            if key in CHUNKS:
                content = struct.pack(f">{np.size(value)}I", *(round(one * 1e5) for one in np.atleast_1d(value)))
                chunks.add(CHUNKS[key], content)
                trial = {"pnginfo": chunks}
            fits = key != "icc_profile" or value[16:20] == (b"GRAY" if mode[0] == "L" else b"RGB ")
            fits &= key != "dpi" or value[0] == value[1]
            written = io.BytesIO(encoded(Image.new(mode, (1, 1)), target, **trial))
            if fits and key in Image.open(written).info:
                kept |= trial
                continue
        lost.append(name)
    if image.format == "TIFF" and _has_exif(image):  # not bytes, as in other formats
        lost.append(KEPT["exif"])
    return kept, lost


def _has_exif(image: Image.Image) -> bool:
    """Return whether a TIFF has EXIF data, also if they are damaged."""
    try:
        return bool(image.getexif().get_ifd(ExifTags.IFD.Exif))
    except Exception:  # of many kinds, since the file is closed by now, and a pointer may lead anywhere
        return True
