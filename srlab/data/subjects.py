"""A subject: one photo, whose left half is trained on and whose right half is shown and scored."""

from pathlib import Path

import torch

from srlab.base.errors import SrlabError
from srlab.base.places import expanded
from srlab.base.text import breaks_line
from srlab.data.datasets import PHOTOS, ImageSet, photo_file
from srlab.data.images import mod_crop, read_pixels, to_float, to_uint8
from srlab.data.resampling import downsample, upsample

LARGEST = 1024  # pixels a side that are used of a photo from elsewhere; its middle, so that minutes are enough
GAP = 136  # columns in its middle that are in neither half: as far as the generators of labs 03 and 04 see to a side
SMALLEST = 96  # pixels a side of a half, below which patches repeat and a score says little
# dB of bicubic at scale 4, from which on the eye misses nothing: it is within 2.5 levels. All the embedded photos but
# the retina have less than 32; enlarged by two, as soft as a phone's, less than 38; by four, most have more than 40.
SMOOTH = 40.0


def halves(subject: str | Path) -> tuple[ImageSet, ImageSet]:
    """Cut a photo in two: the left half to train on, and the right half to be tested on.

    For a subject that is alike everywhere, such as gravel, minutes are enough to learn it, and the other half shows
    whether that is so. LR is made of each half by itself. `GAP` columns of one from elsewhere are in neither. The
    embedded photos are cut without a gap, which on gravel made no difference: a network that never saw the 96 columns
    beside the cut was as good right behind it as one that lacked 96 others.

    Parameters
    ----------
    subject
        Name of an embedded photo, or the path of any photo; of a large one, `LARGEST` pixels a side in the middle.

    Returns
    -------
    tuple of ImageSet
        Both with the photo's name. An odd column belongs to the right half.

    Raises
    ------
    SrlabError
        There is no such photo, or it is too small, or has no detail to learn.
    """
    embedded = str(subject) in PHOTOS
    file = subject_file(subject)
    name = str(subject) if embedded else file.stem
    levels = to_uint8(read_pixels(file))
    grey = frozenset([name] if levels.shape[2] == 1 else [])
    levels, which, gap = levels.expand(-1, -1, 3).permute(2, 0, 1), name, 0
    if not embedded:
        if max(levels.shape[1:]) > LARGEST:
            which = f"the middle of {name}"
            levels = ImageSet(name, [name], [levels]).center_crop(LARGEST).hr[0]
        gap = GAP
        height, width = levels.shape[1:]
        if height < SMALLEST or width < 2 * SMALLEST + GAP:
            raise SrlabError(
                f"{file} is {width} x {height} pixels; a subject is at least {2 * SMALLEST + GAP} wide and {SMALLEST} "
                "high, so that each half can be learned from or judged."
            )
    cut = (levels.shape[2] - gap) // 2
    sides = {"left": levels[..., :cut], "right": levels[..., cut + gap :]}
    if not embedded:
        _check_detail(file, sides)
    return tuple(ImageSet(f"{side} half of {which}", [name], [half], grey=grey) for side, half in sides.items())


def subject_file(subject: str | Path) -> Path:
    """The file of a subject; its path is full, so that it means the same from another folder.

    Raises
    ------
    SrlabError
        There is no such photo.
    """
    if str(subject) in PHOTOS:
        return photo_file(str(subject))
    file = expanded(subject)
    file = file.parent.resolve() / file.name  # a link keeps its own name
    if file.is_dir():
        raise SrlabError(f"The subject {file} is a folder; give one photo in it, or the folder as images instead.")
    if not file.is_file():
        raise SrlabError(
            f"There is no photo {file}; a subject is the path of a photo, or one of the course's: {', '.join(PHOTOS)}."
        )
    if breaks_line(file.stem):
        raise SrlabError(f"The subject {str(file)!a} has a name that is no line of text; rename it.")
    return file


def _check_detail(file: Path, sides: dict[str, torch.Tensor]) -> None:
    """Refuse a photo of which a half has nothing that bicubic does not bring back."""
    for side, half in sides.items():
        hr = mod_crop(to_float(half[None]), 4)
        error = (upsample(downsample(hr, 4), 4) - hr).square().mean().item()
        if error < 10 ** (-SMOOTH / 10):
            raise SrlabError(
                f"The {side} half of {file} is so flat or so smooth that bicubic already brings it back, and there "
                "is nothing to learn; take another part of the photo, or scale it down to half its size first."
            )
