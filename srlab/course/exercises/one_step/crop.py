"""Lab 07: cut LR, noise and end at the same place."""

from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, sample

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


def _variant(
    small: Answer = lambda top, left, size: (top, left, size),
    large: Answer = lambda top, left, size: (4 * top, 4 * left, 4 * size),
    for_end: Answer | None = None,
    result: Answer = lambda lr, noise, end: (lr, noise, end),
) -> Answer:
    """Return a crop with some parts replaced; `for_end` is `large` for the end only."""

    def cut(image: torch.Tensor, top: int, left: int, size: int) -> torch.Tensor:
        return image[..., top : top + size, left : left + size]

    def answer(lr: torch.Tensor, noise: torch.Tensor, end: torch.Tensor, top: int, left: int, size: int) -> Any:
        place = top, left, size
        return result(cut(lr, *small(*place)), cut(noise, *large(*place)), cut(end, *(for_end or large)(*place)))

    return answer


def _case(top: int, left: int, size: int) -> tuple[Any, ...]:
    return sample(3, 9, 13), sample(3, 36, 52, low=-1, seed=1), sample(3, 36, 52, low=-1, seed=2), top, left, size


EXERCISE = Exercise(
    crop,
    level="easy",
    points=3,
    cases={
        "inside": _case(1, 4, 5),
        "at the left border": _case(2, 0, 4),
        "at the lower right corner": _case(5, 9, 4),
    },
    known_mistakes={
        "Your noise and end are cut as if they had LR's pixels. How many of their pixels does one LR pixel cover along "
        "an axis?": [
            _variant(large=lambda top, left, size: (top, left, size)),
            _variant(large=lambda top, left, size: (4 * top, 4 * left, size)),
            _variant(large=lambda top, left, size: (top, left, 4 * size)),
        ],
        "You cut LR as if place and size were in HR pixels. They are in LR pixels.": [
            _variant(small=lambda top, left, size: (top // 4, left // 4, size // 4)),
            _variant(small=lambda top, left, size: (4 * top, 4 * left, 4 * size)),
            _variant(
                small=lambda top, left, size: (top // 4, left // 4, size // 4),
                large=lambda top, left, size: (top, left, size),
            ),
        ],
        "You swapped top and left. Rows come first in the shape of an image.": [
            _variant(
                small=lambda top, left, size: (left, top, size),
                large=lambda top, left, size: (4 * left, 4 * top, 4 * size),
            ),
            _variant(large=lambda top, left, size: (4 * left, 4 * top, 4 * size)),
        ],
        "Your end is cut at another place than the noise, so nothing ties it to this noise. Where is the end of this "
        "noise?": [
            _variant(for_end=lambda top, left, size: (0, 0, 4 * size)),
            _variant(for_end=lambda top, left, size: (top, left, 4 * size)),
        ],
        "Your crop ends at `size`. It begins at top and left, so where does it end?": [
            _variant(
                small=lambda top, left, size: (top, left, size - min(top, left)),
                large=lambda top, left, size: (4 * top, 4 * left, 4 * size),
            ),
            lambda lr, noise, end, top, left, size: (
                lr[:, top:size, left:size],
                noise[:, 4 * top : 4 * size, 4 * left : 4 * size],
                end[:, 4 * top : 4 * size, 4 * left : 4 * size],
            ),
        ],
        "Return LR, then the noise, then the end.": [
            _variant(result=lambda lr, noise, end: (noise, end, lr)),
            _variant(result=lambda lr, noise, end: (lr, end, noise)),
        ],
    },
    also_accepted=[
        _variant(),
        lambda *args: list(crop(*args)),
        lambda lr, noise, end, top, left, size: (
            lr.narrow(1, top, size).narrow(2, left, size),
            *(one.narrow(1, 4 * top, 4 * size).narrow(2, 4 * left, 4 * size) for one in (noise, end)),
        ),
    ],
    reveal=False,
    hints=(
        "Slices of rows and of columns, from top to top + size and from left to left + size. In which of the three "
        "images are these numbers four times as large?",
    ),
)
