"""Provide one photo, split into a half to train on and a half to score, and the badge of the running example."""

from pathlib import Path

import torch

from srlab.data.datasets import PHOTOS, bundled_photos, image_name, photo_file, read_images
from srlab.data.image_set import ImageSet
from srlab.data.images import mod_crop
from srlab.data.resampling import downsample
from srlab.errors import SrlabError
from srlab.paths import find_in_course

LARGEST = 1024  # side in pixels of the center crop of your own photo, so that minutes of training are enough
GAP = 136  # middle columns in neither half: the radius of lab 04's generator in HR pixels (lab 03's is smaller)
SMALLEST = 96  # side of a half in pixels; below it patches repeat and a score means little

BADGE = (336, 96, 96, 144)  # top, left, height and width of the badge on the photo "astronaut"


def badge(scale: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the badge with the names of Eileen Collins's crew, ``(1, 3, 96 / scale, 144 / scale)``, and its HR crop.

    Each lab upscales it. The photo is for validation, so no network of the course has learned it, and its letters are
    too fine for the LR image.

    Parameters
    ----------
    scale
        HR pixels per LR pixel, a divisor of 48.
    """
    top, left, height, width = BADGE
    hr = mod_crop(bundled_photos("validation")["astronaut"], scale)
    lr = downsample(hr, scale)
    low = lr[..., top // scale : (top + height) // scale, left // scale : (left + width) // scale]
    return low, hr[..., top : top + height, left : left + width]


def split_photo(subject: str | Path) -> tuple[ImageSet, ImageSet]:
    """Split a photo into a left half to train on and a right half to test on.

    If a photo looks the same everywhere, such as gravel, a network learns it in minutes, and the other half shows
    whether it did. LR is made from each half separately. With your own photo, `GAP` columns in the middle are in
    neither half. The bundled photos are split without a gap, which made no difference on gravel.

    Parameters
    ----------
    subject
        Name of a bundled photo, or path of any photo. Only the center crop of a large photo is used, at most `LARGEST`
        pixels square.

    Returns
    -------
    tuple of ImageSet
        Left and right half, each with the photo's name. An odd column belongs to the right half.
    """
    bundled, file = str(subject) in PHOTOS, subject_file(subject)
    name = str(subject) if bundled else image_name(file.stem)
    photo, which, gap = read_images(name, {name: file}), name, 0 if bundled else GAP
    if not bundled:
        if max(photo.sizes[0]) > LARGEST:
            photo, which = photo.center_crop(LARGEST), f"the center of {name}"
        height, width = photo.sizes[0]
        if height < SMALLEST or width < 2 * SMALLEST + GAP:
            raise SrlabError(
                f"{file} is {width} x {height} pixels. A subject must be at least {2 * SMALLEST + GAP} wide and "
                f"{SMALLEST} high, so that a network can learn from one half and be tested on the other."
            )
    cut = (photo.sizes[0][1] - gap) // 2
    parts = {"left": photo.hr[0][..., :cut], "right": photo.hr[0][..., cut + gap :]}
    return tuple(
        ImageSet.from_images(f"{side} half of {which}", {name: half}, photo.gray) for side, half in parts.items()
    )


def subject_file(subject: str | Path) -> Path:
    """Return the absolute path of a subject's file."""
    if str(subject) in PHOTOS:
        return photo_file(str(subject))
    file = find_in_course(subject)
    file = file.parent.resolve() / file.name  # a link keeps its own name
    if not file.is_file():
        raise SrlabError(
            f"Photo {file} not found. A subject is the path of a photo, or one of the course's: {', '.join(PHOTOS)}."
        )
    return file
