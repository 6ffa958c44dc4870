"""Extra on attention: cut feature maps into square windows."""

from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


def to_windows(x: torch.Tensor, size: int) -> torch.Tensor:
    """Cut feature maps into square windows.

    Parameters
    ----------
    x
        ``(N, h, w, features)``; `h` and `w` are multiples of `size`.
    size
        Side of a window in pixels.

    Returns
    -------
    torch.Tensor
        ``(windows, size * size, features)``: image by image, row by row, and the same within a window.
    """
    n, height, width, features = x.shape
    blocks = x.reshape(n, height // size, size, width // size, size, features)
    return blocks.transpose(2, 3).reshape(-1, size * size, features)


def _map(n: int, height: int, width: int) -> torch.Tensor:
    """Return features that encode image, row and column, counted from 1."""
    places = torch.meshgrid(*(torch.arange(1.0, side + 1) for side in (n, height, width)), indexing="ij")
    return torch.stack(places, -1)


def _observe(answer: Answer, x: torch.Tensor, size: int) -> dict[str, Any]:
    windows = filled(answer(x, size))
    if not isinstance(windows, torch.Tensor):
        raise IncorrectAnswer(f"The result should be a tensor, but its type is {type(windows).__name__}.")
    found: dict[str, Any] = {"the shape": str(tuple(windows.shape))}
    if windows.shape != to_windows(x, size).shape:
        return found
    image, row, column = (windows.float() - 1).unbind(-1)
    width = x.shape[2] // size
    home = (image * 1000 + row // size) * width + column // size  # number of the window that each pixel is from
    place = row % size * size + column % size
    found["pixels from other windows"] = int((home != home[:, :1]).sum())
    found["the order of the pixels in a window"] = place
    return found | {"the order of the windows": windows}


def _by(*order: int) -> Answer:
    """Return an answer that arranges (N, rows, size, columns, size, features) in some order before it reshapes."""

    def answer(x: torch.Tensor, size: int) -> torch.Tensor:
        n, height, width, features = x.shape
        blocks = x.reshape(n, height // size, size, width // size, size, features)
        return blocks.permute(*order).reshape(-1, size * size, features)

    return answer


def _reshaped(x: torch.Tensor, size: int) -> torch.Tensor:
    return x.reshape(-1, size * size, x.shape[-1])


def _unfolded(x: torch.Tensor, size: int) -> torch.Tensor:
    windows = x.unfold(1, size, size).unfold(2, size, size)  # (N, rows, columns, features, size, size)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, size * size, x.shape[-1])


def _sliding(x: torch.Tensor, size: int) -> torch.Tensor:
    windows = x.unfold(1, size, 1).unfold(2, size, 1)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, size * size, x.shape[-1])


def _looped(x: torch.Tensor, size: int) -> torch.Tensor:
    _, height, width, features = x.shape
    return torch.stack(
        [
            image[top : top + size, left : left + size].reshape(size * size, features)
            for image in x
            for top in range(0, height, size)
            for left in range(0, width, size)
        ]
    )


def _square(x: torch.Tensor, size: int) -> torch.Tensor:
    return to_windows(x, size).unflatten(1, (size, size))


def _images_apart(x: torch.Tensor, size: int) -> torch.Tensor:
    return to_windows(x, size).unflatten(0, (len(x), -1))


def _first_image(x: torch.Tensor, size: int) -> torch.Tensor:
    return _looped(x[:1], size)


EXERCISE = Exercise(
    to_windows,
    level="easy",
    points=2,
    cases={
        "two feature maps in windows of 3 by 3": (_map(2, 6, 9), 3),
        "one in windows of 4 by 4": (_map(1, 12, 8), 4),
    },
    observe=_observe,
    known_mistakes={
        "A reshape keeps the order of the pixels in memory, where the next pixel is the next one of the same *row*. So "
        "your windows are strips. First split both sides into (number of windows, size), then move axes.": [
            _reshaped,
            _by(0, 1, 2, 3, 4, 5),
        ],
        "Within a window your pixels run down the columns. They should run along the rows.": _by(0, 1, 3, 4, 2, 5),
        "Your windows run down the columns of the image. They should run along the rows.": [
            _by(0, 3, 1, 2, 4, 5),
            _by(0, 3, 1, 4, 2, 5),
        ],
        "Your windows alternate between the images of the batch. They should be in the order of the images.": [
            _by(1, 3, 0, 2, 4, 5),
            _by(3, 1, 0, 2, 4, 5),
        ],
        "A window should be a list of size * size pixels, not a square.": _square,
        "Put the windows of all images into one axis.": _images_apart,
        "Your windows overlap. Each should begin where the previous one ends.": _sliding,
        "You cut only the first image of the batch.": _first_image,
    },
    also_accepted=[_unfolded, _looped, _by(0, 1, 3, 2, 4, 5)],
    fallback_messages={
        "the shape": "The shape is {given}. It should be (number of all windows, size * size, features).",
        "pixels from other windows": "{given} pixels are in a window with pixels of another one.",
        "the order of the pixels in a window": "The right pixels are together, but their order in the window isn't row "
        "by row.",
        "the order of the windows": "The windows are right, but not in the order image by image, row by row.",
    },
    reveal=False,
    hints=(
        "Reshape to six axes: h becomes (number of windows, size), and w, too. Which two axes should be next to each "
        "other at the end?",
        "x.reshape(n, h // size, size, w // size, size, features), then transpose(2, 3), then reshape again.",
    ),
)
