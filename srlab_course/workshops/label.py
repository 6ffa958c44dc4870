"""The label under a flow's image: how much of it is trusted, with a promise by conformal risk control (lab 08)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

import srlab
from srlab.errors import SrlabError
from srlab_course.exercises.enhance.calibrate import calibrate
from srlab_course.material.subjects import split_photo

PROMISE = 0.05  # largest share of pixels that are trusted and wrong
WRONG = 16  # gray levels; a pixel whose mean guess is off by more is wrong
PATCH = 32  # side in pixels of a patch of the calibration
AROUND = 5  # side in pixels of the square over which guesses are compared
LEVELS = torch.arange(0, 64, 0.25)  # gray levels: the thresholds of the spread

Draw = Callable[[torch.Tensor], torch.Tensor]


def label(draw: Draw, guesses: torch.Tensor, hr: torch.Tensor, subject: str, multiple: int) -> str:
    """Return the label of a flow's guesses for a photo.

    The threshold of the spread is calibrated on photos that the flow has not learned from. The promise is about the
    mean over photos like those, so a single photo can neither keep nor break it.

    Parameters
    ----------
    draw
        Function from LR ``(1, 3, h, w)`` to guesses ``(count, 1, 3, 4h, 4w)`` in [0, 1].
    guesses, hr
        The guesses for the photo, and its original ``(1, 3, H, W)``.
    subject
        Photo whose left half the flow has learned, or "" for a folder of photos.
    multiple
        Divisor of the sides of all photos, in HR pixels.
    """
    known, whose = _calibration(subject, multiple)
    pairs = [spread_and_wrong(draw(srlab.downsample(photo, 4).clamp(0, 1)), photo) for photo in known]
    spread, wrong = (torch.cat([_patches(field) for field in fields]) for fields in zip(*pairs, strict=True))
    threshold = calibrate(spread, wrong, LEVELS, PROMISE)
    if not threshold:
        return f"none. Calibrated on {whose}, it would trust nothing."
    here, wrong_here = spread_and_wrong(guesses, hr)
    trusted = here < threshold
    share, risk = trusted.float().mean().item(), (trusted & wrong_here).float().mean().item()
    above = ", more than that average: this photo may be unlike those" if risk > PROMISE else ""
    return (
        f"it trusts {share:.0%} of the pixels. "
        f"Promise: in photos like {whose}, on which this label was calibrated, on average at most {PROMISE:.0%} of all "
        f"pixels are trusted and off by more than {WRONG} of 255 levels. Here it is {risk:.1%}{above}."
    )


def spread_and_wrong(guesses: torch.Tensor, hr: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how much guesses differ around each pixel, in gray levels, and where their mean is wrong; both (H, W)."""
    spread = 255 * guesses.var(0).mean(1).sqrt()
    spread = F.avg_pool2d(spread, AROUND, stride=1, padding=AROUND // 2, count_include_pad=False)[0]
    return spread, 255 * (guesses.mean(0) - hr).abs().amax(1)[0] > WRONG


def _calibration(subject: str, multiple: int) -> tuple[list[torch.Tensor], str]:
    """Return photos that a flow has not learned from, ``(1, 3, H, W)`` each, and what they are."""
    if subject:
        try:
            held_out = split_photo(subject)[1]
        except SrlabError:  # her photo was moved
            subject = ""
        else:
            return [srlab.mod_crop(photo, multiple) for _, photo in held_out], f"the {held_out.name}"
    photos = srlab.bundled_photos("validation")
    return [srlab.mod_crop(photo[..., :256, :256], multiple) for _, photo in photos], "the course's held-out photos"


def _patches(field: torch.Tensor) -> torch.Tensor:
    """Cut a field (H, W) into square patches, ``(n, PATCH * PATCH)``."""
    return field.unfold(0, PATCH, PATCH).unfold(1, PATCH, PATCH).reshape(-1, PATCH * PATCH)
