"""Keep the color profile, EXIF data and resolution of an image file, and name everything else that it contains."""

import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from PIL import Image, PngImagePlugin

from srlab.data.images import encoded
from srlab.text import printable

KEPT = {"icc_profile": "color profile", "exif": "EXIF data", "dpi": "resolution"}  # by Pillow's names
NAMES = KEPT | {"xmp": "XMP", "XML:com.adobe.xmp": "XMP", "photoshop": "IPTC"}
# What Pillow reports about the encoding of the pixels and the course of an animation.
ENCODING = """adobe adobe_transform background bbox bits blend chromaticity compression default_image disposal duration
gamma images interlace jfif jfif_density jfif_unit jfif_version loop mp mpoffset progression progressive srgb timestamp
transparency"""
# Chunks of a PNG that describe pixels, and segments of a JPEG that Pillow reports by another name.
CHUNKS = ("bKGD", "hIST", "sBIT")
SEGMENTS = (b"JFIF\0", b"Exif\0", b"ICC_PROFILE\0", b"Adobe", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop", b"MPF\0")


def keep_metadata(image: Image.Image, source: Path, target: Path, mode: str) -> dict[str, object]:
    """Return Pillow's options that keep metadata in the target, and print what else the source contains.

    A profile for other channels would give wrong colors, and a rotated resolution wrong sides. Pillow 13.0 fails in
    many ways on metadata from other programs, and formats ignore some of it, so an image of one pixel tries each first.
    """
    kept = {}
    for key in KEPT & image.info.keys():
        with suppress(Exception):
            value = image.info[key]
            if key == "exif":  # a WebP has no such header, a JPEG needs it
                value = b"Exif\0\0" + value.removeprefix(b"Exif\0\0")
            fits = key != "icc_profile" or value[16:20] == (b"GRAY" if mode == "L" else b"RGB ")
            fits &= key != "dpi" or value[0] == value[1]
            trial = io.BytesIO(encoded(Image.new(mode, (1, 1)), target, **{key: value}))
            if fits and key in Image.open(trial).info:
                kept[key] = value
    if lost := [name for key, name in _contents(image, source.read_bytes()) if key not in kept]:
        print(printable(f"Not kept in {target.name}: {', '.join(dict.fromkeys(lost))}."), file=sys.stderr)
    return kept


def _contents(image: Image.Image, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield key and name of everything in an opened file except the opaque 8-bit pixels of its first image."""
    for key in image.info:
        if key not in ENCODING.split():
            yield key, NAMES.get(key, key)
    if image.format == "PNG":
        at = 8
        while at < len(content):
            chunk = content[at + 4 : at + 8].decode("latin-1")
            if chunk not in CHUNKS and not hasattr(PngImagePlugin.PngStream, f"chunk_{chunk}"):
                yield chunk, chunk
            at += 12 + int.from_bytes(content[at : at + 4])
    elif image.format in ("JPEG", "MPO"):
        for segment, start in image.applist:
            if segment != "COM" and not start.startswith(SEGMENTS):
                yield segment, f"{segment} {start.split(bytes(1))[0][:40].decode('latin-1')}"
        if not content.rstrip(bytes(1)).endswith(b"\xff\xd9"):
            yield "end", "data after the image"
    if image.info["images"] > 1:
        yield "images", f"all but the first of {image.info['images']} images"
    if image.has_transparency_data and image.convert("RGBA").getextrema()[3] != (255, 255):
        yield "alpha", "transparency (now white)"
    if image.info["bits"] > 8:
        yield "bits", "the lower 8 of 16 bits"
