"""Extra on attention: cut feature maps into square windows."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled


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
    found["pixels from other windows"] = int((home != home[:, :1]).sum())
    if found["pixels from other windows"]:
        return found
    place = row % size * size + column % size
    return found | {
        "the order of the pixels in a window": bool((place == torch.arange(size**2)).all()),
        "the order of the windows": windows.equal(to_windows(x, size)),
    }


EXERCISE = Exercise(
    to_windows,
    level="easy",
    points=2,
    cases={
        "two feature maps in windows of 3 by 3": (_map(2, 6, 9), 3),
        "one in windows of 4 by 4": (_map(1, 12, 8), 4),
    },
    observe=_observe,
    reveal=False,
)
