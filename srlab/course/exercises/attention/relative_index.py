"""Extra on attention: which entry of the bias table a pair of pixels uses."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


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
    opposite = (index == index.T) & ~torch.eye(size**2, dtype=torch.bool)
    return found | {
        "integers": not index.is_floating_point(),
        "opposite offsets with the same number": int(opposite.sum()),
        "offsets that share a number": int((together & ~wanted).sum()),
        "equal offsets with different numbers": int((wanted & ~together).sum()),
        "the smallest number is not negative": index.min().item() >= 0,
        "the largest number is in the table": index.max().item() < (2 * size - 1) ** 2,
    }


def _index(
    number: Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor],
    offset: Callable[[torch.Tensor, int], torch.Tensor] = lambda step, size: step + size - 1,
) -> Answer:
    """Return an answer from a rule for one offset, and one for the number of a pair of offsets."""

    def answer(size: int) -> torch.Tensor:
        pixel = torch.arange(size * size)
        steps = [place[:, None] - place for place in (pixel // size, pixel % size)]
        return number(*(offset(step, size) for step in steps), size)

    return answer


def _right(rows: torch.Tensor, columns: torch.Tensor, size: int) -> torch.Tensor:
    return rows * (2 * size - 1) + columns


def _absolute(size: int) -> torch.Tensor:
    return torch.arange(size**4).reshape(size**2, size**2)


def _of_the_key(size: int) -> torch.Tensor:
    return torch.arange(size**2).expand(size**2, -1)


def _of_the_query(size: int) -> torch.Tensor:
    return _of_the_key(size).T


def _flat(size: int) -> torch.Tensor:
    pixel = torch.arange(size**2)
    return pixel[:, None] - pixel + size**2 - 1


def _flat_signed(size: int) -> torch.Tensor:
    return _flat(size) - size**2 + 1


def _pairs(size: int) -> torch.Tensor:
    pixel = torch.arange(size * size)
    return torch.stack([place[:, None] - place + size - 1 for place in (pixel // size, pixel % size)], -1)


EXERCISE = Exercise(
    relative_index,
    level="medium",
    points=3,
    cases={"windows of 3 by 3": (3,), "windows of 4 by 4": (4,)},
    observe=_observe,
    known_mistakes={
        "Each pair of pixels has its own number, so the same offset is learned again at each place, and the table "
        "would need size to the power of 4 entries.": _absolute,
        "Your number belongs to one pixel of the pair. It should belong to the offset between the two.": [
            _of_the_key,
            _of_the_query,
        ],
        "Different offsets share a number. In the list of pixels, the last one of a row is next to the first of the "
        "next row, but in the window it isn't. How many values can the offset in columns have?": [
            _flat,
            _flat_signed,
            _index(lambda rows, columns, size: rows * size + columns),
        ],
        "A pixel above and one below have the same number, because you dropped the sign of the offset. Attention "
        "should be able to tell them apart.": [
            _index(_right, lambda step, size: step.abs()),
            _index(lambda rows, columns, size: rows**2 + columns**2, lambda step, size: step),
            _index(lambda rows, columns, size: rows * size + columns, lambda step, size: step.abs()),
        ],
        "You combine rows and columns so that different offsets share a number. How many values can the offset in "
        "columns have? Multiply the one in rows by that.": [
            _index(lambda rows, columns, size: rows + columns),
            _index(lambda rows, columns, size: rows * (2 * size - 2) + columns),
            _index(lambda rows, columns, size: rows * columns),
        ],
        "Some numbers are negative. As an index, -1 is the last entry of the table, without an error. What is the "
        "smallest offset?": [
            _index(_right, lambda step, size: step),
            _index(_right, lambda step, size: step + size - 2),
            _index(lambda rows, columns, size: rows * 2 * size + columns, lambda step, size: step),
        ],
        "Your numbers go beyond the table, which has (2 * size - 1) ** 2 entries, one for each offset.": [
            _index(lambda rows, columns, size: rows * 2 * size + columns),
            _index(_right, lambda step, size: step + size),
        ],
        "An index must be an integer.": _index(lambda rows, columns, size: _right(rows, columns, size).float()),
        "You return two numbers for each pair. Combine them into one.": _pairs,
    },
    also_accepted=[
        _index(_right),
        _index(lambda rows, columns, size: columns * (2 * size - 1) + rows),
        _index(_right, lambda step, size: size - 1 - step),
    ],
    fallback_messages={
        "the shape": "The shape is {given}. It should be (size * size, size * size): a number for each pair of pixels.",
        "offsets that share a number": "Some pairs with different offsets have the same number.",
        "equal offsets with different numbers": "Some pairs with the same offset have different numbers.",
        "opposite offsets with the same number": "Some pairs have the same number in both directions.",
    },
    reveal=False,
    hints=(
        "Pixel p of the list is in row p // size and column p % size. An offset is a difference of rows and one of "
        "columns. Each goes from -(size - 1) to size - 1.",
        "Add size - 1 to both differences. Then combine them like the digits of a number with base 2 * size - 1.",
    ),
)
