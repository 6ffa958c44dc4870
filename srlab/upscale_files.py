"""Upscale image files of any size, with their color profile and EXIF data."""

import os
import sys
from pathlib import Path

import psutil
import torch
from PIL import Image

from srlab.data.datasets import image_files
from srlab.data.images import EXTENSIONS, LARGEST_SIDE, TIFF, encoded, open_upright, pixels_of
from srlab.errors import SrlabError
from srlab.files import open_atomic, refuse_existing
from srlab.metadata import keep_metadata
from srlab.paths import exists, expand_user
from srlab.tiling import Upscaler, upscale

JPEG = {"quality": 95, "subsampling": "4:4:4"}
# Options for writing each format.
DEFAULT_ENDING = ".png"
OPTIONS = {".png": {}, ".jpg": JPEG, ".jpeg": JPEG, ".webp": {"lossless": True}}
BYTES = 8  # bytes of memory per pixel of the result, for Pillow's pixels and the encoded file


def upscale_file(
    source: str | os.PathLike,
    target: str | os.PathLike,
    upscaler: Upscaler,
    scale: int,
    *,
    force: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    precision: str = "fp32",
    label: str | None = None,
) -> Path:
    """Upscale an image file, write the result with 8 bits per channel, and return its path.

    The source is read as in `srlab.read_image`: gray stays gray, palettes and CMYK become RGB, transparent pixels
    become white, and the EXIF orientation is applied. The color profile, the EXIF data as a whole and the resolution in
    dpi are kept if the format can store them. A line on stderr names everything else that the file contains. The EXIF
    data still state the size of the source.

    The result needs up to eight bytes of memory per pixel, in addition to a tile of the network. The target appears
    only when it is complete and on disk. `srlab.upscale` explains `tile`, `overlap` and `precision`.

    Parameters
    ----------
    target
        SR file: ``.png``, ``.jpg``, ``.jpeg`` (quality 95) or ``.webp`` (lossless).
    upscaler
        Network or function from LR ``(1, 3, h, w)`` in [0, 1] to SR.
    scale
        The upscaler's own factor.
    force
        Replace an existing target, but never the source.
    label
        Name of the image for the progress bar (default: that of the source); "" shows no bar.
    """
    source, target = expand_user(source), expand_user(target)
    suffix = target.suffix.lower()
    if suffix not in OPTIONS:
        raise SrlabError(f"{target.name} does not have a valid extension. Use {', '.join(OPTIONS)}.")
    if exists(target.resolve()) and target.resolve().samefile(source):
        raise SrlabError(f"The result would overwrite {source}. Choose another name for the result.")
    refuse_existing(target, force)
    with open_upright(source) as image:
        lr = torch.from_numpy(pixels_of(image)).permute(2, 0, 1)
        gray = lr.shape[0] == 1
        size = (lr.shape[2] * scale, lr.shape[1] * scale)
        if max(size) > LARGEST_SIDE.get(suffix, max(size)):
            what = f"{max(size)} upscaled pixels per side"
            raise SrlabError(f"{source} has {what}, which {target.name} cannot store. Write a PNG instead.")
        needed, free = BYTES * size[0] * size[1] / 1e9, psutil.virtual_memory().available / 1e9
        if needed > free:
            raise SrlabError(
                f"{target.name} ({size[0]}x{size[1]} pixels) needs {needed:.3g} GB of memory, but only {free:.3g} GB "
                "are free. Crop the photo first."
            )
        mode = "L" if gray and suffix != ".webp" else "RGB"  # WebP has no gray mode
        options = OPTIONS[suffix] | keep_metadata(image, source, target, mode)
    label = source.name if label is None else label
    with open_atomic(target) as file:
        sr = upscale(upscaler, lr, scale, tile, overlap, precision, label, torch.uint8)
        result = Image.fromarray(sr.permute(1, 2, 0).squeeze(2).numpy())
        del sr  # frees memory for the file
        file.write(encoded(result, target, **options))
    return target


def upscale_folder(
    source: str | os.PathLike,
    target: str | os.PathLike,
    upscaler: Upscaler,
    scale: int,
    *,
    force: bool = False,
    **options: int | str | None,
) -> None:
    """Upscale the images in a folder to PNGs in another, and print their paths.

    PNGs that exist are kept, so that a second call resumes a stopped one. An image that fails does not stop the others;
    a line on stderr gives the reason, and an error follows at the end. `options` are those of `upscale_file`.
    """
    source, target = expand_user(source), expand_user(target)
    images = image_files(source)
    if target.is_file() or (exists(target.resolve()) and target.resolve().samefile(source)):
        raise SrlabError(f"The results cannot be written to {target}. Choose a folder other than that of the images.")
    files = [path.name for path in source.iterdir() if path.is_file() and path.name[0] != "."]
    if left := sorted(name for name in files if not name.lower().endswith(EXTENSIONS + TIFF)):
        print(f"Left out, because they are not {', '.join(EXTENSIONS)}: {', '.join(left)}.", file=sys.stderr)
    results = {path: target / f"{name}{DEFAULT_ENDING}" for name, path in images.items()}
    missing = {path: result for path, result in results.items() if force or not result.is_file()}
    if present := len(results) - len(missing):
        print(f"{present} of {len(results)} results already exist (--force overwrites them).", file=sys.stderr)
    failed = 0
    for number, (path, result) in enumerate(missing.items(), 1):
        label = f"{number}/{len(missing)} {path.name}"
        try:
            print(upscale_file(path, result, upscaler, scale, force=force, label=label, **options))
        except SrlabError as error:
            print(f"failed {path}: {error}", file=sys.stderr)
            failed += 1
    if failed:
        raise SrlabError(f"{failed} of {len(missing)} images failed, for the reasons above.")
