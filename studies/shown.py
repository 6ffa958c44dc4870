"""What every report shows: bicubic, the line that each network should beat, and one crop of one unseen photo."""

import torch

import srlab
from srlab.data import datasets
from srlab.view import plots

PICTURE, BOX = "astronaut", (48, 168, 96, 144)  # top, left, height, width


def bicubic(lr: torch.Tensor) -> torch.Tensor:
    """Bicubic enlargement by 4."""
    return srlab.upsample(lr, 4)


def photo() -> torch.Tensor:
    """Return the whole photo, HR, in a size that LR divides."""
    return srlab.mod_crop(datasets.photos("validation")[PICTURE], 4)


def crop(image: torch.Tensor) -> torch.Tensor:
    """The part that is shown, of the photo or of an SR image of it."""
    return plots.cut(image, BOX)
