"""Upscale image files of any size, with color profile, EXIF data and transparency. No file is ever overwritten."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import distance_transform_edt

from srlab.data.datasets import NOT_READ, print_left_out, result_names, walk
from srlab.data.images import EXTENSIONS, LARGEST_SIDE, alpha_of, encoded, open_upright, pixels_of, unused
from srlab.devices import explaining_lack_of_memory
from srlab.errors import SrlabError
from srlab.files import PlaceError, open_atomic, refuse_existing
from srlab.metadata import keep_metadata
from srlab.paths import exists, expand_user
from srlab.text import printable, some
from srlab.tiling import Upscaler, upscale

JPEG = {"quality": 95, "subsampling": "4:4:4"}
# Options for writing each format.
DEFAULT_ENDING = ".png"
OPTIONS: dict[str, dict[str, Any]] = {".png": {}, ".jpg": JPEG, ".jpeg": JPEG, ".webp": {"lossless": True}}
BYTES = 8  # bytes of memory per pixel of the result, for Pillow's pixels and the encoded file; 2 more for transparency


def upscale_file(
    source: str | os.PathLike,
    target: str | os.PathLike,
    upscaler: Upscaler,
    scale: int,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    precision: str = "fp32",
    label: str | None = None,
) -> Path:
    """Upscale an image file, write the result with 8 bits per channel, and return its path.

    The source is read as in `srlab.read_image`: gray stays gray, palettes and CMYK become RGB, and the EXIF orientation
    is applied. Transparency is upscaled as a gray image and kept in a PNG or WebP; in a JPEG, transparent pixels become
    white. The color profile, the EXIF data as a whole, the resolution in dpi and a PNG's gamma are kept if the format
    can store them. A line on stderr names which of these are not, and the pixels that are not used. Captions, comments
    and XMP are not kept. The EXIF data still state the size of the source.

    The result needs up to ten bytes of memory per pixel, in addition to a tile of the network. The target must not
    exist, and appears only when it is complete and on disk. `srlab.upscale` explains `tile`, `overlap` and `precision`.

    Parameters
    ----------
    target
        SR file: ``.png``, ``.jpg``, ``.jpeg`` (quality 95) or ``.webp`` (lossless).
    upscaler
        Network or function from LR ``(1, 3, h, w)`` in [0, 1] to SR.
    scale
        The upscaler's own factor.
    label
        Name of the image for the progress bar (default: that of the source); "" shows no bar.
    """
    paths = expand_user(source), expand_user(target)
    return _upscale_file(*paths, upscaler, scale, tile=tile, overlap=overlap, precision=precision, label=label)


def _upscale_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    scale: int,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    precision: str = "fp32",
    label: str | None = None,
) -> Path:
    """Do what `upscale_file` does, with paths that may come from a folder, in which ``~`` is a name like any other."""
    suffix = target.suffix.lower()
    if suffix not in OPTIONS:
        raise SrlabError(f"{target.name} does not have a valid extension. Use {', '.join(OPTIONS)}.")
    refuse_existing(target)
    label = source.name if label is None else label
    with explaining_lack_of_memory(f"{source.name}, upscaled", "Crop or downscale it first"):
        image = open_upright(source, lambda header: _refuse_too_large(header, source, target, scale))
        pixels, alpha = pixels_of(image), alpha_of(image) if OPTIONS[suffix] is not JPEG else None
        if alpha is not None:
            pixels = _visible_colors(image, alpha, pixels.shape[2])
        gray = pixels.shape[2] == 1 and suffix != ".webp"  # WebP has no gray mode
        mode = ("L" if gray else "RGB") + ("A" if alpha is not None else "")
        metadata, lost = keep_metadata(image, target, mode)
        lost += [what for what in unused(image) if alpha is None or "transparency" not in what]
        if image.info["bits"] > 8 and "the lower 8 of 16 bits" not in lost:  # a gray image is upscaled with all bits
            lost.append("the lower 8 of 16 bits")
        if lost:
            print(printable(f"Not kept in {target.name}: {', '.join(lost)}."), file=sys.stderr)
        del image
        settings = (scale, tile, overlap, precision)
        with open_atomic(target, replace=False) as file:
            sr = upscale(upscaler, torch.from_numpy(pixels).permute(2, 0, 1), *settings, label, torch.uint8)
            result = Image.fromarray(sr.permute(1, 2, 0).squeeze(2).numpy())
            del sr  # frees memory for the file
            if alpha is not None:
                result.putalpha(Image.fromarray(_upscaled_alpha(upscaler, alpha, *settings)))
            file.write(encoded(result, target, **OPTIONS[suffix], **metadata))
    return target


def _refuse_too_large(header: Image.Image, source: Path, target: Path, scale: int) -> None:
    """Raise an error if the result of an image would not fit into its format or into memory."""
    size = (header.width * scale, header.height * scale)
    if max(size) > LARGEST_SIDE.get(target.suffix.lower(), max(size)):
        what = f"{max(size)} upscaled pixels per side"
        raise SrlabError(f"{source} has {what}, which {target.name} cannot store. Write a PNG instead.")
    needed = (BYTES + 2 * header.has_transparency_data) * size[0] * size[1] / 1e9
    if needed > (free := psutil.virtual_memory().available / 1e9):
        raise SrlabError(
            f"{target.name} ({size[0]}x{size[1]} pixels) needs {needed:.3g} GB of memory, but only {free:.3g} GB "
            "are free. Crop the photo first."
        )


def _visible_colors(image: Image.Image, alpha: np.ndarray, channels: int) -> np.ndarray:
    """Return the colors ``(H, W, channels)`` of a transparent image.

    Those that are hidden become those of the nearest visible pixel. They could be anything, and would reach into the
    edges of what is visible.
    """
    colors = np.array(image.convert("RGBA"))[..., :channels]
    if not alpha.any():
        return colors
    nearest = distance_transform_edt(alpha == 0, return_distances=False, return_indices=True)
    return colors[tuple(nearest)]


def _upscaled_alpha(
    upscaler: Upscaler, alpha: np.ndarray, scale: int, tile: int | None, overlap: int | None, precision: str
) -> np.ndarray:
    """Upscale the opacity ``(h, w)``, uint8, as a gray image.

    A result is between the least and the greatest opacity of the 3 x 3 pixels around its place, because a network may
    leave traces where all is opaque, or all is hidden.
    """
    lr = torch.from_numpy(alpha)[None]
    sr = upscale(upscaler, lr, scale, tile, overlap, precision, "", torch.uint8)
    around = lr[None].float()
    greatest, least = F.max_pool2d(around, 3, 1, 1), -F.max_pool2d(-around, 3, 1, 1)
    low, high = (bound.byte()[0].repeat_interleave(scale, 1).repeat_interleave(scale, 2) for bound in (least, greatest))
    return sr.clamp(low, high)[0].numpy()


def upscale_files(
    sources: Sequence[str | os.PathLike],
    target: str | os.PathLike | None,
    upscaler: Upscaler,
    scale: int,
    **options: Any,
) -> None:
    """Upscale images and folders of images, and print the paths of the results.

    A folder is read with its subfolders. The results of ``photo.jpg`` and of the folder ``photos`` are ``photo_x4.png``
    and ``photos_x4``, next to them. Results in the target folder have the names of their images, in a folder for each
    source that is one if there are several sources. The target may also be a file if there is only one image.

    Results that exist are kept, whatever made them, so that a second call resumes a stopped one. A line on stderr names
    them. They are not upscaled again themselves. An image that fails does not stop the others; a line on stderr gives
    the reason, and an error follows at the end. A disk or folder that takes no results ends the call. `options` are
    those of `upscale_file`.
    """
    if "" in (*sources, target):
        raise SrlabError("A path is empty. Check the variable that it comes from.")
    paths = list(dict.fromkeys(map(expand_user, sources)))
    out = None if target is None else expand_user(target)
    alone = len(paths) == 1 and not paths[0].is_dir()
    if out and not out.is_dir() and (out.suffix.lower() in EXTENSIONS or (alone and out.suffix) or exists(out)):
        if not alone:
            raise SrlabError(f"{out} is not a folder. Pass a folder for the results of several images.")
        print(printable(_upscale_file(paths[0], out, upscaler, scale, **options)))
        return
    results: dict[Path, Path] = {}
    missing, present, failed = [], [], 0
    pairs = _pairs(paths, out, scale)
    for path, result in pairs:
        if result in results:
            other = results[result]
            same = f"failed {path}: {other} has the same result, {result}. Rename one of them."
            print(printable(same), file=sys.stderr)
            failed += 1
        elif os.path.isfile(result):  # noqa: PTH113 - Path.is_file raises an error for a name that is too long
            present.append(str(result))
        else:
            missing.append((path, result))
        results.setdefault(result, path)
    if present:
        names = printable(some(present))
        print(f"Kept, because it exists: {names}. For another result, name a place with -o.", file=sys.stderr)
    for number, (path, result) in enumerate(missing, 1):
        label = f"{number}/{len(missing)} {path.name}"
        try:
            if not exists(path):
                raise SrlabError(f"{path} not found. Check the path. To name a result, use -o.")
            print(printable(_upscale_file(path, result, upscaler, scale, label=label, **options)))
        except PlaceError:
            raise
        except SrlabError as error:
            if len(pairs) == 1:
                raise
            print(printable(f"failed {path}: {error}"), file=sys.stderr)
            failed += 1
    if failed:
        raise SrlabError(f"{failed} of {len(pairs)} images failed, for the reasons above.")


def _pairs(paths: Sequence[Path], out: Path | None, scale: int) -> list[tuple[Path, Path]]:
    """Return each image in files and folders with its result; print what is left out."""
    pairs = []
    for path in paths:
        if not path.is_dir():  # or missing, which becomes the error of this image
            pairs.append((path, _result(path, out or path.parent, scale)))
            continue
        place = path.resolve()  # . and .. have no name
        top = place.with_name(f"{place.name}_x{scale}") if out is None else out / place.name if len(paths) > 1 else out
        files, others = walk(path)
        print_left_out(path, others, NOT_READ, sys.stderr)
        if out is not None and out.resolve() != place:
            files = [file for file in files if not file.resolve().is_relative_to(out.resolve())]
        pairs += [(file, _result(file, top / file.relative_to(path).parent, scale)) for file in files]
    names = {path: path.absolute().with_suffix("").as_posix() for path, _ in pairs}
    made = result_names(names.values())
    if left := [path.as_posix() for path, name in names.items() if name in made]:
        print(printable(f"Left out: {some(left)} (named like results of srlab upscale)."), file=sys.stderr)
    pairs = [(path, result) for path, result in pairs if names[path] not in made]
    if not pairs:
        where = ", ".join(map(str, paths))
        raise SrlabError(f"No images found in {where}. Their names must end in {', '.join(EXTENSIONS)}.")
    return pairs


def _result(path: Path, folder: Path, scale: int) -> Path:
    """Return the result of an image in a folder; next to the image, it gets an ending."""
    ending = f"_x{scale}" if folder.resolve() == path.parent.resolve() else ""
    return folder / f"{path.stem}{ending}{DEFAULT_ENDING}"
