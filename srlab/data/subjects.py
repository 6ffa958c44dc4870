"""A subject: one photo, whose left half is trained on and whose right half is shown and scored."""

import math
from pathlib import Path

import torch

from srlab.base.errors import SrlabError
from srlab.base.places import expanded
from srlab.data.datasets import PHOTOS, ImageSet, photo_file
from srlab.data.images import read_levels, to_float
from srlab.data.resampling import downsample, upsample

LARGEST = 1024  # pixels a side that are used of a photo from elsewhere; its middle, so that minutes are enough
SMALLEST = 96  # pixels a side of a half, below which patches repeat and a score says little
SMOOTH = 40.0  # dB of bicubic, from which on there is no detail to bring back


def halves(subject: str | Path, gap: int = 0) -> tuple[ImageSet, ImageSet]:
    """Cut a photo in two: the left half to train on, and the right half to be tested on.

    For a subject that is alike everywhere, such as gravel, minutes are enough to learn it, and the other half shows
    whether that is so.

    Parameters
    ----------
    subject
        Name of an embedded photo, or the path of any photo; of a large one, `LARGEST` pixels a side in the middle.
    gap
        Columns between the halves of a photo from elsewhere that belong to neither, so that nothing in the middle of
        the photo is in both. The embedded ones are cut without a gap.

    Returns
    -------
    tuple of ImageSet
        Both with the photo's name. An odd column in the middle belongs to the right half.

    Raises
    ------
    SrlabError
        There is no such photo, or it is too small, or has no detail to learn.
    """
    if str(subject) in PHOTOS:
        name, file, gap = str(subject), photo_file(str(subject)), 0
    else:
        file = expanded(subject)
        if not file.is_file():
            raise SrlabError(
                f"The subject {subject} is neither a photo of the course ({', '.join(PHOTOS)}) nor a file that is "
                "there; check the name or the path."
            )
        name = file.stem
    levels = read_levels(file, keep_grey=True)
    grey = frozenset([name] if len(levels) == 1 else [])
    levels = levels.expand(3, -1, -1)
    if str(subject) not in PHOTOS:
        levels = _middle(levels)
    width = levels.shape[2]
    left, right = levels[..., : (width - gap) // 2], levels[..., width - math.ceil((width - gap) / 2) :]
    if str(subject) not in PHOTOS:
        _check(subject, levels, gap, left, right)
    sides = (("left", left), ("right", right))
    return tuple(ImageSet(f"{side} half of {name}", [name], [half.contiguous()], grey=grey) for side, half in sides)


def _middle(levels: torch.Tensor) -> torch.Tensor:
    top, left = (max(0, (side - LARGEST) // 2) for side in levels.shape[1:])
    return levels[:, top : top + LARGEST, left : left + LARGEST]


def _check(subject: str | Path, levels: torch.Tensor, gap: int, *parts: torch.Tensor) -> None:
    """Refuse a photo of which a half is too small, or has nothing that bicubic does not bring back.

    Raises
    ------
    SrlabError
        It is so.
    """
    height, width = levels.shape[1:]
    if height < SMALLEST or (width - gap) // 2 < SMALLEST:
        raise SrlabError(
            f"{subject} is {width} x {height} pixels; a subject is at least {2 * SMALLEST + gap} wide and {SMALLEST} "
            "high, so that each half can be learned from or judged."
        )
    for side, half in zip(("left", "right"), parts, strict=True):
        hr = to_float(half[None, :, : height // 4 * 4, : half.shape[2] // 4 * 4])
        error = (upsample(downsample(hr, 4), 4) - hr).square().mean().item()
        if error < 10 ** (-SMOOTH / 10):
            raise SrlabError(
                f"The {side} half of {subject} is so flat or so smooth that bicubic already brings it back, and there "
                "is nothing to learn; take another part, or scale the photo down by two first."
            )
