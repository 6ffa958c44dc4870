"""Lab 01, find the bug: pairs of LR and HR patches that a network can learn from."""

from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.feedback.exercise import Answer, Exercise, filled, sample
from srlab_course.feedback.value_comparison import take

Place = tuple[int, int, bool]  # top and left in LR pixels, and whether the pair is mirrored
SIZE = 150  # one HR pixel is 1 / SIZE in the channels that encode a position: 1.7 gray levels
SIDE, RIM = (
    10,
    2,
)  # LR pixels of a patch, and at its border that are not compared (LR made from one patch differs there)
TURNED = {(): "as it is", (-1,): "mirrored", (-2,): "upside down", (-2, -1): "rotated"}  # reversed axes -> name


def training_pairs(
    photo: torch.Tensor, scale: int, side: int, places: list[Place]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut patches of a photo and the patches of its LR image that show the same places.

    Parameters
    ----------
    photo
        ``(1, 3, H, W)`` in [0, 1].
    scale
        HR pixels per LR pixel along each axis.
    side
        Side of an LR patch in LR pixels.
    places
        Top and left of each LR patch in LR pixels, and whether the pair is mirrored.

    Returns
    -------
    tuple of torch.Tensor
        ``(n, 3, side, side)`` and ``(n, 3, scale * side, scale * side)``.
    """
    hr = photo[..., scale:-scale, scale:-scale]
    lr = F.interpolate(photo, scale_factor=1 / scale, mode="bicubic", antialias=True)[..., 1:-1, 1:-1]
    lows, highs = [], []
    for top, left, mirror in places:
        low = lr[..., top : top + side, left : left + side]
        y, x = scale * top, scale * left
        high = hr[..., y : y + scale * side, x : x + scale * side]
        lows.append(low.flip(-1) if mirror else low)
        highs.append(high.flip(-1) if mirror else high)
    return torch.cat(lows), torch.cat(highs)


def _scene(scale: int, places: list[Place], seed: int) -> tuple[torch.Tensor, int, int, list[Place]]:
    """Return a photo whose first two channels encode the row and the column of a pixel; the third repeats a texture.

    LR repeats it after 3 pixels, so what LR is off by does not depend on the place.
    """
    rows, columns = torch.meshgrid(torch.arange(30 * scale), torch.arange(33 * scale), indexing="ij")
    texture = sample(3 * scale, 3 * scale, seed=seed).repeat(10, 11)
    return torch.stack((rows / SIZE, columns / SIZE, texture))[None], scale, SIDE, places


def _place(patch: torch.Tensor, pixel: int) -> tuple[float, float, tuple[int, ...]]:
    """Return top and left of a patch to half an HR pixel, and its reversed axes; its pixels have `pixel` HR pixels."""
    top, left = (round(2 * SIZE * float(values.mean()) - pixel * len(values) + 1) / 2 for values in patch[:2])
    reversed_axes = (patch[0, 0, 0] > patch[0, -1, 0], patch[1, 0, 0] > patch[1, 0, -1])
    return top, left, tuple(axis for axis, turned in zip((-2, -1), reversed_axes, strict=True) if turned)


def _cut(image: torch.Tensor, top: float, left: float, side: int, axes: tuple[int, ...]) -> torch.Tensor:
    """Return a patch of an image at the nearest place inside."""
    height, width = image.shape[-2:]
    y, x = min(max(round(top), 0), height - side), min(max(round(left), 0), width - side)
    return image[0, :, y : y + side, x : x + side].flip(axes)


def _observe(answer: Answer, photo: torch.Tensor, scale: int, side: int, places: list[Place]) -> dict[str, Any]:
    like = tuple(photo.new_zeros(len(places), 3, size, size) for size in (side, scale * side))
    lows, highs = take(filled(answer(photo, scale, side, places)), like)
    lr = F.interpolate(photo, scale_factor=1 / scale, mode="bicubic", antialias=True)
    apart, turned, away, copied, levels = [], [], [], [], []
    for low, high, (top, left, _) in zip(lows.detach(), highs.detach(), places, strict=True):
        row, column, low_axes = _place(low, scale)
        y, x, axes = _place(high, 1)
        apart.append([row - y, column - x])
        turned.append([TURNED[low_axes], TURNED[axes]])
        away.append(max(0, abs(y - scale * top) - scale, abs(x - scale * left) - scale))  # both may be trimmed
        copied.append(torch.allclose(high, _cut(photo, y, x, scale * side, axes), atol=1e-3))
        error = (low - _cut(lr, row / scale, column / scale, side, low_axes))[2, RIM:-RIM, RIM:-RIM]
        levels.append(255 * error.abs().mean().item())
    return {
        "LR patch and HR patch show the same place": apart,
        "both patches are mirrored, or neither": turned,
        "how LR was made": round(max(levels), 1) if max(levels) > 1 else 0.0,
        "the patches are where they were requested": away,
        "HR patches are pieces of the photo": all(copied),
    }


EXERCISE = Exercise(
    training_pairs,
    level="medium",
    points=5,
    observe=_observe,
    cases={
        "pairs at scale 4": _scene(4, [(5, 6, False), (8, 10, True)], 0),
        "pairs at scale 2": _scene(2, [(6, 5, True), (7, 9, False)], 1),
    },
)
