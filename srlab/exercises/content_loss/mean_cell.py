"""Lab 02: the pattern that repeats with the pixels of LR."""

import torch

from srlab.exercises import Exercise, sample


def mean_cell(image: torch.Tensor, scale: int) -> torch.Tensor:
    """Average all cells of scale x scale pixels of an image, and take off the mean of that average.

    Parameters
    ----------
    image
        ``(N, C, H, W)``; height and width are multiples of `scale`.
    scale
        Side of a cell.

    Returns
    -------
    torch.Tensor
        ``(scale, scale)`` with mean 0: what repeats from cell to cell.
    """
    n, c, height, width = image.shape
    cells = image.double().reshape(n, c, height // scale, scale, width // scale, scale)
    cell = cells.mean(dim=(0, 1, 2, 4))
    return cell - cell.mean()


def _without_mean(image: torch.Tensor, scale: int) -> torch.Tensor:
    places = range(scale)
    return torch.stack([torch.stack([image[..., i::scale, j::scale].mean() for j in places]) for i in places])


def _blocks(image: torch.Tensor, scale: int) -> torch.Tensor:
    n, c, height, width = image.shape
    cell = image.reshape(n, c, scale, height // scale, scale, width // scale).mean(dim=(0, 1, 3, 5))
    return cell - cell.mean()


def _of_each(image: torch.Tensor, scale: int, dims: tuple[int, ...]) -> torch.Tensor:
    n, c, height, width = image.shape
    cell = image.reshape(n, c, height // scale, scale, width // scale, scale).mean(dim=dims)
    return cell - cell.mean()


def _first(image: torch.Tensor, scale: int) -> torch.Tensor:
    cell = image[..., :scale, :scale].mean(dim=(0, 1))
    return cell - cell.mean()


def _image(height: int, width: int, scale: int) -> tuple[torch.Tensor, int]:
    """A picture like those of the lab: smooth, with a pattern of the grid on it."""
    slope = torch.linspace(0.2, 0.6, width).expand(2, 3, height, width)
    pattern = sample(scale, scale, low=-0.05, high=0.05, seed=7).repeat(height // scale, width // scale)
    return slope + pattern + sample(2, 3, height, width, high=0.02), scale


EXERCISE = Exercise(
    mean_cell,
    level="medium",
    cases={
        "cells of 4 x 4": lambda: _image(16, 24, 4),
        "cells of 2 x 2": lambda: _image(8, 12, 2),
        "cells of 3 x 3": lambda: _image(9, 12, 3),
    },
    mistakes={
        "That's the average cell with its brightness. Take its mean off, so that only the pattern stays.": (
            _without_mean
        ),
        "The picture was cut into scale x scale large parts here, and each was averaged. A cell is small, scale x "
        "scale pixels, and there are many: in which order do the two axes come that a height is split into?": _blocks,
        "That's one cell, and chance with it. Average all of them.": [
            _first,
            lambda image, scale: image[0, 0, :scale, :scale] - image[0, 0, :scale, :scale].mean(),
        ],
        "Rows and columns have changed places.": lambda image, scale: mean_cell(image, scale).T,
        "Each cell has become a single number, its mean: that's a small picture. Average over the cells instead, and "
        "keep the places within them.": [
            lambda image, scale: torch.nn.functional.avg_pool2d(image, scale),
            lambda image, scale: torch.nn.functional.avg_pool2d(image, scale).mean(dim=(0, 1)),
        ],
        "The pattern of each picture or channel is still there by itself. Average over these, too.": [
            lambda image, scale: _of_each(image, scale, (2, 4)),
            lambda image, scale: _of_each(image, scale, (0, 2, 4)),
            lambda image, scale: _of_each(image, scale, (1, 2, 4)),
        ],
        "A side of 4 is written into your code, but the scale may be another one.": lambda image, scale: mean_cell(
            image, 4
        ),
        "The pattern was divided by its mean. Take the mean off.": lambda image, scale: (
            _without_mean(image, scale) / image.mean()
        ),
    },
    also_right=[
        lambda image, scale: _without_mean(image, scale) - image.mean(),
        lambda image, scale: mean_cell(image, scale).float(),
    ],
    otherwise={
        "cells of 4 x 4": "Another pattern comes out. Place (i, j) of the result is the mean of all pixels that stand "
        "in row i and column j of their cell, less the mean of all pixels.",
    },
    hints=(
        "image[..., 0::scale, 0::scale] takes the first pixel of every cell.",
        "Two loops over the places i and j of a cell will do: the mean of image[..., i::scale, j::scale], less the "
        "mean of the whole image. Or reshape to (N, C, H // scale, scale, W // scale, scale) and average.",
    ),
)
