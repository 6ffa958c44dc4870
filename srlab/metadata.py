"""Keep the color profile, EXIF data and resolution of an image file, and name everything else that it contains."""

import io
import sys
from contextlib import suppress
from pathlib import Path

from PIL import Image, PngImagePlugin, TiffTags

from srlab.data.images import encoded
from srlab.text import printable

KEPT = {"icc_profile": "color profile", "exif": "EXIF data", "dpi": "resolution"}  # by Pillow's names
NAMES = KEPT | {"xmp": "XMP", "XML:com.adobe.xmp": "XMP", "photoshop": "IPTC", "mp": "more images (MPF)"}
# What Pillow reports about the encoding of the pixels and the course of an animation.
ENCODING = """adobe adobe_transform background bbox bits blend compression default_image disposal duration images
interlace jfif jfif_density jfif_unit jfif_version loop mpoffset progression progressive resolution srgb timestamp
transparency"""
# Segments of a JPEG that Pillow reports by another name, chunks of a PNG and tags of a TIFF that describe pixels.
SEGMENTS = (b"JFIF\0", b"Exif\0", b"ICC_PROFILE\0", b"Adobe", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop", b"MPF\0")
CHUNKS = ("bKGD", "hIST", "sBIT")
PRIVATE, ICC_TAG, CHANNELS_TAG = 700, 34675, 338  # tags below the first describe pixels, unless they are texts


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
            fits &= key != "dpi" or value[0] == value[1] > 1
            trial = io.BytesIO(encoded(Image.new(mode, (1, 1)), target, **{key: value}))
            if fits and key in Image.open(trial).info:
                kept[key] = value
    if lost := [name for key, name in _contents(image, source.read_bytes()).items() if key not in kept]:
        print(printable(f"Not kept in {target.name}: {', '.join(dict.fromkeys(lost))}."), file=sys.stderr)
    return kept


def _contents(image: Image.Image, content: bytes) -> dict[str, str]:
    """Return key -> name for everything in an opened file except the 8-bit pixels of its first image."""
    info = image.info
    same = ["gamma", "chromaticity"] * ("srgb" in info or "icc_profile" in info) + ["dpi"] * (info.get("dpi") == (1, 1))
    names = {key: NAMES.get(key, key) for key in info if key not in (*ENCODING.split(), *same)}
    if image.format == "PNG":
        at, name = 8, ""
        while at < len(content) and name != "IEND":
            name = content[at + 4 : at + 8].decode("latin-1")
            if name not in CHUNKS and not hasattr(PngImagePlugin.PngStream, f"chunk_{name}"):
                names[name] = name
            at += 12 + int.from_bytes(content[at : at + 4])
        if at < len(content):
            names["end"] = "data after the image"
    elif image.format == "TIFF":
        for tag, kind in image.tag_v2.tagtype.items():
            extra = tag == CHANNELS_TAG and not image.has_transparency_data
            if tag != ICC_TAG and (tag >= PRIVATE or kind == TiffTags.ASCII or extra):
                names[tag] = TiffTags.lookup(tag).name.replace("unknown", f"tag {tag}")
    for segment, start in getattr(image, "applist", ()):  # of a JPEG
        if segment != "COM" and not start.startswith(SEGMENTS):
            name = f"{segment} {start.split(bytes(1))[0][:40].decode('latin-1')}"
            names[name] = name
    if image.format in ("JPEG", "MPO") and not content.rstrip(bytes(1)).endswith(b"\xff\xd9"):
        names["end"] = "data after the image"
    if info["images"] > 1:
        names["mp"] = f"all but the first of {info['images']} images"
    if info["bits"] > 8:
        names["bits"] = "the lower 8 of 16 bits"
    return names
