"""Lab 07: cut LR, noise and end at the same place."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Exercise

Three = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def crop(lr: torch.Tensor, noise: torch.Tensor, end: torch.Tensor, top: int, left: int, size: int) -> Three:
    """Cut LR, noise and end at the same place of the photo.

    Parameters
    ----------
    lr
        ``(3, h, w)``.
    noise, end
        ``(3, 4h, 4w)``.
    top, left, size
        Place and side of the crop in LR pixels.

    Returns
    -------
    tuple of torch.Tensor
        ``(3, size, size)``, and twice ``(3, 4 * size, 4 * size)``.
    """
    rows, columns = slice(4 * top, 4 * (top + size)), slice(4 * left, 4 * (left + size))
    return lr[:, top : top + size, left : left + size], noise[:, rows, columns], end[:, rows, columns]


def _numbered(h: int, w: int) -> torch.Tensor:
    """Return an image (3, h, w) whose pixels have the values 100 * row + column."""
    return (100.0 * torch.arange(h)[:, None] + torch.arange(w)).expand(3, h, w)


def _case(top: int, left: int, size: int) -> tuple[Any, ...]:
    return _numbered(9, 13), _numbered(36, 52), -_numbered(36, 52), top, left, size


CASES = {"inside": _case(1, 4, 5), "at the left border": _case(2, 0, 4), "at the lower right corner": _case(5, 9, 4)}

EXERCISE = Exercise(
    crop,
    level="easy",
    points=3,
    cases=CASES,
    fallback_messages=dict.fromkeys(
        CASES, "Here each pixel has the value 100 * row + column, in `end` with a minus sign."
    ),
    reveal=False,
)
