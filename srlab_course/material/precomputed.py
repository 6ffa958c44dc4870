"""Precomputed images, for results that take too long in a lab or need a network that may not be installed.

``python docs/material.py NAME`` computes the image or row with a name.
"""

import json
from importlib.resources import files

import torch

from srlab.data.images import read_image

FOLDER = files("srlab_course.material").joinpath("pictures")
ROWS = files("srlab_course.material").joinpath("rows")  # equal-size crops side by side, and ``scores.json``


def picture(name: str) -> torch.Tensor:
    """Read a precomputed image, ``(1, 3, H, W)`` in [0, 1].

    For example, ``"srgan_12000"`` is SRGAN's output after 12,000 steps, for the right half of the gravel photo.
    """
    return read_image(str(FOLDER.joinpath(f"{name}.jpg")))[None]


def row(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the outputs of several networks, including Real-ESRGAN, for one photo such as ``"cat_spoilt"``.

    Return label -> crop ``(1, 3, 144, 176)`` in [0, 1], with ground truth ("HR") last, and label -> PSNR of the whole
    image, as text.
    """
    crops = read_image(str(ROWS.joinpath(f"{name}.jpg")))[None]
    scored = scores(name)
    labels = [*scored, "HR"]
    notes = {label: f"{said['psnr']:.1f} dB" for label, said in scored.items()}
    return dict(zip(labels, crops.chunk(len(labels), dim=3), strict=True)), notes


def riddle() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Read the riddle of lab 00: three pairs of images, A and B, each ``(1, 3, 80, 124)`` in [0, 1].

    One image of each pair is a crop of the photo ``chelsea``. The other one has exactly the same means of 4 x 4 pixels.
    ``python docs/material.py riddle`` computes the other one from an output of Real-ESRGAN.
    """
    page = read_image(str(ROWS.joinpath("riddle.png")))[None]
    return [row.chunk(2, dim=3) for row in page.chunk(3, dim=2)]


def scores(name: str) -> dict[str, dict[str, float]]:
    """Return label -> {"psnr": dB, "energy_error": 0 is best} of the whole images of a row, as in `row`."""
    return json.loads(ROWS.joinpath("scores.json").read_text(encoding="utf-8"))[name]
