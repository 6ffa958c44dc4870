"""Lab 00: matching training patches from a photo and its LR image."""

import torch

from srlab.course.exercise import Answer, Exercise, sample


def paired_crop(
    lr: torch.Tensor, hr: torch.Tensor, scale: int, side: int, top: int, left: int, mirror: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crop the same location from LR and HR.

    Parameters
    ----------
    lr, hr
        ``(N, 3, h, w)`` and ``(N, 3, scale * h, scale * w)``.
    scale
        HR pixels per LR pixel along each axis.
    side, top, left
        Size and position of the patch, in LR pixels.
    mirror
        If True, flip both left to right.

    Returns
    -------
    tuple of torch.Tensor
        ``(N, 3, side, side)`` and ``(N, 3, scale * side, scale * side)``.
    """
    lr = lr[..., top : top + side, left : left + side]
    hr = hr[..., scale * top : scale * (top + side), scale * left : scale * (left + side)]
    return (lr.flip(-1), hr.flip(-1)) if mirror else (lr, hr)


def _crop(
    corner: int = 0,
    size: int = 1,
    off: int = 0,
    flipped: str = "both",
    axis: int = -1,
    swapped: bool = False,
    early: bool = False,
) -> Answer:
    """Return a crop with its parts right or wrong; `corner` and `size` of 0 leave HR's unscaled."""

    def answer(lr, hr, scale, side, top, left, mirror):  # noqa: ANN001, ANN202 - as a student writes it
        if swapped:
            top, left = left, top
        if early and mirror:
            return tuple(paired_crop(lr.flip(-1), hr.flip(-1), scale, side, top, left, False))
        y, x = (top * scale, left * scale) if not corner else (top, left)
        length = side * scale if size else side
        small = lr[..., top : top + side, left : left + side]
        large = hr[..., y + off : y + off + length, x + off : x + off + length]
        if mirror and flipped in ("both", "lr"):
            small = small.flip(axis)
        if mirror and flipped in ("both", "hr"):
            large = large.flip(axis)
        return small, large

    return answer


def _scene(
    scale: int, top: int, left: int, mirror: bool
) -> tuple[torch.Tensor, torch.Tensor, int, int, int, int, bool]:
    return sample(2, 3, 10, 13), sample(2, 3, 10 * scale, 13 * scale, seed=1), scale, 4, top, left, mirror


EXERCISE = Exercise(
    paired_crop,
    level="easy",
    points=3,
    cases={
        "a location at scale 4": _scene(4, 3, 5, False),
        "mirrored": _scene(4, 3, 5, True),
        "the top left corner at scale 2": _scene(2, 0, 0, True),
        "the bottom right corner": _scene(3, 6, 9, True),
    },
    known_mistakes={
        "You crop HR at the coordinates of LR, which is a different location in the photo. How many HR rows are above "
        "`top`?": [
            _crop(corner=1),
        ],
        "Your HR patch is as small as the LR patch. It should show the same location with more pixels.": [
            _crop(size=0),
            _crop(corner=1, size=0),
        ],
        "Your HR patch is one pixel off. You get no error message, and the network learns to shift images.": [
            _crop(off=1),
            _crop(off=-1),
        ],
        "You mirror only one of the two, so the network would have to learn to mirror faces.": [
            _crop(flipped="lr"),
            _crop(flipped="hr"),
        ],
        "You mirror nothing when `mirror` is set.": _crop(flipped="none"),
        "Your patches are upside down: you flipped up and down. Mirroring swaps left and right, along the last "
        "axis.": _crop(axis=-2),
        "You swapped rows and columns: `top` belongs to the second-to-last axis.": _crop(swapped=True),
        "You mirror the photos first and crop afterwards, which gives a different location. Crop first, then mirror "
        "the patch.": _crop(early=True),
    },
    also_accepted=[_crop()],
    hints=(
        "LR is cropped at top and left. HR is cropped at the same location, where every number is `scale` times as "
        "large.",
        "hr[..., scale * top : scale * (top + side), ...]. If mirror is set, flip(-1) both.",
    ),
)
