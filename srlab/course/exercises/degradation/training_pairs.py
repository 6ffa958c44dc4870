"""Lab 00, find the bug: pairs of LR and HR patches that a network can learn from."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Place = tuple[int, int, bool]  # top and left in LR pixels, and whether the pair is mirrored
REACH = 6  # LR pixels to each side of the requested place in which patches are looked for
RIM = 2  # LR pixels at the border of a patch that are not compared: LR made from a single patch differs there


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


# --- What the check looks at: where in the photo each patch is, and how LR was made ---------------------------

WAYS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "antialiased bicubic": lambda hr, s: F.interpolate(hr, scale_factor=1 / s, mode="bicubic", antialias=True),
    "bicubic without antialiasing": lambda hr, s: F.interpolate(hr, scale_factor=1 / s, mode="bicubic"),
    "antialiased bilinear": lambda hr, s: F.interpolate(hr, scale_factor=1 / s, mode="bilinear", antialias=True),
    "bilinear without antialiasing": lambda hr, s: F.interpolate(hr, scale_factor=1 / s, mode="bilinear"),
    "block means": lambda hr, s: F.avg_pool2d(hr, s),
    "single pixels": lambda hr, s: hr[..., ::s, ::s],
}


def _find(patch: torch.Tensor, image: torch.Tensor, near: tuple[int, int], reach: int) -> tuple[float, int, int, bool]:
    """Look for a patch in an image, mirrored or not; return the mean absolute difference, top, left, and if mirrored.

    All have one channel.
    """
    top, left = (max(0, place - reach) for place in near)
    height, width = patch.shape
    window = image[top : top + height + 2 * reach, left : left + width + 2 * reach]
    parts = window.unfold(0, height, 1).unfold(1, width, 1)
    found = []
    for mirrored in (False, True):
        gaps = (parts - (patch.flip(-1) if mirrored else patch)).abs().mean((2, 3))
        best = int(gaps.argmin())
        y, x = divmod(best, gaps.shape[1])
        found.append((gaps.flatten()[best].item(), top + y, left + x, mirrored))
    return min(found)


def _observe(answer: Answer, photo: torch.Tensor, scale: int, side: int, places: list[Place]) -> dict[str, Any]:
    result = filled(answer(photo, scale, side, places))
    if not (
        isinstance(result, tuple | list)
        and len(result) == 2
        and all(isinstance(batch, torch.Tensor) and batch.ndim == 4 for batch in result)
    ):
        raise IncorrectAnswer("Return two batches: the LR patches first, then the HR patches.")
    low, high = (batch.detach().float() for batch in result)
    shapes = [list(low.shape), list(high.shape)]
    observed: dict[str, Any] = {"the shapes of both batches": shapes}
    if shapes != [[len(places), 3, side, side], [len(places), 3, scale * side, scale * side]]:
        return observed
    candidates = {name: make(photo, scale)[0, 0] for name, make in WAYS.items()}
    apart, flips, ways, asked = [], [], [], []
    for small, large, (top, left, _) in zip(low[:, 0], high[:, 0], places, strict=True):
        _, y, x, large_mirrored = _find(large, photo[0, 0], (scale * top, scale * left), REACH * scale)
        inside = small[RIM:-RIM, RIM:-RIM]
        matches = {name: _find(inside, image, (top + RIM, left + RIM), REACH) for name, image in candidates.items()}
        way = min(matches, key=matches.__getitem__)
        error, row, column, small_mirrored = matches[way]
        apart.append([scale * (row - RIM) - y, scale * (column - RIM) - x])
        flips.append([small_mirrored, large_mirrored])
        ways.append(way if 255 * error < 1 else "another way")
        asked.append(max(abs(y - scale * top), abs(x - scale * left)) <= scale)
    return observed | {
        "LR patch and HR patch show the same place": apart,
        "both patches are mirrored, or neither": flips,
        "how LR was made": ways,
        "the patches are where they were requested": asked,
    }


def _pairs(
    antialias: bool = True,
    low_trim: Callable[[int], int] = lambda scale: 1,
    high_trim: Callable[[int], int] = lambda scale: scale,
    move: tuple[int, int] = (0, 0),
    mirror: str = "both",
    way: str = "",
    trim_first: bool = False,
) -> Answer:
    """The function with its parts correct or wrong; `move` is in HR pixels per unit of scale."""

    def answer(photo, scale, side, places):  # noqa: ANN001, ANN202 - as a student writes it
        if trim_first:
            photo = photo[..., scale:-scale, scale:-scale]
        make = WAYS[way or ("antialiased bicubic" if antialias else "bicubic without antialiasing")]
        lr, off_low, off_high = make(photo, scale), low_trim(scale), high_trim(scale)
        lows, highs = [], []
        for top, left, mirrored in places:
            t, u = top + off_low, left + off_low
            y, x = scale * top + off_high + move[0] * scale, scale * left + off_high + move[1] * scale
            low = lr[..., t : t + side, u : u + side]
            high = photo[..., y : y + scale * side, x : x + scale * side]
            lows.append(low.flip(-1) if mirrored and mirror in ("both", "low") else low)
            highs.append(high.flip(-1) if mirrored and mirror in ("both", "high") else high)
        return torch.cat(lows), torch.cat(highs)

    return answer


def _from_patches(photo: torch.Tensor, scale: int, side: int, places: list[Place]) -> tuple[torch.Tensor, torch.Tensor]:
    """Make LR of each HR patch by itself."""
    high = training_pairs(photo, scale, side, places)[1]
    return F.interpolate(high, scale_factor=1 / scale, mode="bicubic", antialias=True), high


def _none(scale: int) -> int:
    return 0


def _scene(scale: int, places: list[Place], seed: int) -> tuple[torch.Tensor, int, int, list[Place]]:
    return sample(1, 3, 28 * scale, 34 * scale, seed=seed), scale, 9, places


ALIASED = (
    "LR patch and HR patch show the same place now. The other mistake is in how LR is made. Which argument did "
    "PyTorch's bicubic need in section 2?"
)
APART = (
    "LR is antialiased now, but the two patches still show different places. Which pixel of `photo` is the first one "
    "of `hr`, and which pixels does the first one of `lr` average?"
)

EXERCISE = Exercise(
    training_pairs,
    level="medium",
    points=5,
    observe=_observe,
    cases={
        "pairs at scale 4": _scene(4, [(5, 6, False), (8, 10, True)], 0),
        "pairs at scale 2": _scene(2, [(6, 5, True), (7, 9, False)], 1),
    },
    known_mistakes={
        "These are still the broken pairs. Draw HR minus upscaled LR for one of them: do edges come out as broad "
        "bands? And how was its LR made?": _pairs(antialias=False, low_trim=_none),
        ALIASED: [
            _pairs(antialias=False),
            _pairs(antialias=False, low_trim=_none, high_trim=_none),
            _pairs(way="bilinear without antialiasing"),
        ],
        APART: _pairs(low_trim=_none),
        "You trimmed LR by `scale` pixels. HR lost `scale` HR pixels at each side. How many LR pixels is that?": [
            _pairs(low_trim=lambda scale: scale),
            _pairs(low_trim=lambda scale: scale, antialias=False),
        ],
        "The shift has doubled: you moved a patch the wrong way. Does HR start further in than LR, or LR further in "
        "than HR?": [
            _pairs(low_trim=_none, move=(1, 1)),
            _pairs(low_trim=_none, move=(1, 1), antialias=False),
        ],
        "One axis is right, and along the other one the patches are still apart. Trimming removed rows and columns.": [
            _pairs(low_trim=_none, move=move, antialias=antialias)
            for move in ((-1, 0), (0, -1))
            for antialias in (True, False)
        ],
        "Nothing is mirrored when `mirror` is set. That was correct in the code you started from: both patches were "
        "mirrored.": [_pairs(mirror="none"), _pairs(mirror="none", antialias=False)],
        "Only one patch of a pair is mirrored, so the network would have to mirror faces.": [
            _pairs(mirror=one, antialias=antialias) for one in ("low", "high") for antialias in (True, False)
        ],
        "Your LR is the mean of each block. That avoids most aliasing, but the LR that the network gets later is "
        "bicubic: it has to learn from the same kind. Which call makes bicubic LR with antialiasing?": _pairs(
            way="block means"
        ),
        "Your LR keeps single pixels, which is aliasing at its worst. Which call makes bicubic LR with antialiasing?": (
            _pairs(way="single pixels")
        ),
        "Your LR is bilinear. It's antialiased, but the LR that the network gets later is bicubic.": _pairs(
            way="antialiased bilinear"
        ),
    },
    also_accepted=[
        _pairs(),
        _pairs(low_trim=_none, high_trim=_none),
        _pairs(low_trim=_none, high_trim=_none, trim_first=True),
        _from_patches,
    ],
    fallback_messages={
        "the shapes of both batches": "The batches have the shapes {given}. LR patches are `side` pixels square, and "
        "HR patches `scale * side`.",
        "LR patch and HR patch show the same place": "From LR patch to HR patch it's {given} HR pixels, down and to "
        "the right, for each pair. It should be 0.",
        "how LR was made": "Your LR isn't bicubic with antialiasing. Which call of section 2 came within a quarter of "
        "a level of MATLAB's?",
        "the patches are where they were requested": "LR patch and HR patch agree, but they aren't at `top` and "
        "`left`. Do both move with every place?",
    },
    hints=(
        "Take one pair, upscale its LR patch, and subtract it from its HR patch. If edges come out as broad bands, the "
        "two patches show different places.",
        "Follow one pixel: which pixels of `photo` does the first pixel of `lr` average, and which one is the first of "
        "`hr`? And compare the call that makes `lr` with the table of section 2.",
    ),
)
