"""Inputs of every report: bicubic as the baseline, and one crop of a validation photo."""

import torch

import srlab
from srlab.data import datasets
from srlab_course.figures import plots

PICTURE, BOX = "astronaut", (48, 168, 96, 144)  # top, left, height, width


def bicubic(lr: torch.Tensor) -> torch.Tensor:
    """Upscale by 4 with bicubic interpolation."""
    return srlab.upsample(lr, 4)


def photo() -> torch.Tensor:
    """Return the whole photo (HR), cropped to a multiple of the scale."""
    return srlab.mod_crop(datasets.bundled_photos("validation")[PICTURE], 4)


def crop(image: torch.Tensor) -> torch.Tensor:
    """Return the crop shown in reports, of the photo or of an SR image of it."""
    return plots.cut(image, BOX)
