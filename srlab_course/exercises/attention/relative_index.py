"""Extra on attention: which entry of the bias table a pair of pixels uses."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled


def relative_index(size: int) -> torch.Tensor:
    """Number the offsets between the pixels of a window (Liu et al. 2021, section 3.2).

    Parameters
    ----------
    size
        Side of the window in pixels.

    Returns
    -------
    torch.Tensor
        ``(size * size, size * size)``, integers from 0 to ``(2 * size - 1) ** 2 - 1``. Two pairs of pixels have the
        same number exactly if they have the same offset in rows and in columns.
    """
    pixel = torch.arange(size * size)
    row, column = pixel // size, pixel % size
    rows = row[:, None] - row + size - 1
    columns = column[:, None] - column + size - 1
    return rows * (2 * size - 1) + columns


def _observe(answer: Answer, size: int) -> dict[str, Any]:
    index = filled(answer(size))
    if not isinstance(index, torch.Tensor):
        raise IncorrectAnswer(f"The result should be a tensor, but its type is {type(index).__name__}.")
    found: dict[str, Any] = {"the shape": str(tuple(index.shape))}
    if index.shape != (size**2, size**2):
        return found
    offsets = relative_index(size)
    together = index.flatten()[:, None] == index.flatten()
    wanted = offsets.flatten()[:, None] == offsets.flatten()
    return found | {
        "integers": not index.is_floating_point(),
        "equal offsets have equal numbers": not (wanted & ~together).any(),
        "opposite offsets have different numbers": not index.equal(index.T),
        "offsets that share a number": int((together & ~wanted).sum()),
        "the smallest number": min(index.min().item(), 0),
        "the largest number is in the table": index.max().item() < (2 * size - 1) ** 2,
    }


EXERCISE = Exercise(
    relative_index,
    level="medium",
    points=3,
    cases={"windows of 3 by 3": (3,), "windows of 4 by 4": (4,)},
    observe=_observe,
    reveal=False,
)
