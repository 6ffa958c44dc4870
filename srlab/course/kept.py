"""Precomputed images: they would take too long in a lab, or need a network that may not be installed.

``git show acafbcc:benchmarks/gravel/pictures.py`` and ``git show acafbcc:benchmarks/subjects/pictures.py`` made them.
"""

import json
from importlib.resources import files
from typing import Any

import torch

from srlab.data.images import read_image

FOLDER = files("srlab.course").joinpath("pictures")
ROWS = files("srlab.course").joinpath("rows")  # crops side by side, of one size, ``scores.json`` and ``duels.json``


def picture(name: str) -> torch.Tensor:
    """Read a precomputed image.

    Parameters
    ----------
    name
        Such as ``"srgan_12000"``: what SRGAN makes of the right half of the gravel after 12,000 steps.

    Returns
    -------
    torch.Tensor
        ``(1, 3, H, W)``, float in [0, 1].

    Raises
    ------
    SrlabError
        There is none of that name.
    """
    return read_image(str(FOLDER.joinpath(f"{name}.jpg")))[None]


def row(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the results of several networks for one photo, Real-ESRGAN among them.

    Parameters
    ----------
    name
        Such as ``"cat_spoilt"``.

    Returns
    -------
    tuple of dict
        Label -> crop ``(1, 3, 144, 176)``, float in [0, 1], the photo ("HR") last; and label -> PSNR of the whole
        picture, as text.

    Raises
    ------
    SrlabError
        There is none of that name.
    """
    crops = read_image(str(ROWS.joinpath(f"{name}.jpg")))[None]
    scores = json.loads(ROWS.joinpath("scores.json").read_text(encoding="utf-8"))[name]
    labels = [*scores, "HR"]
    notes = {label: f"{said['psnr']:.1f} dB" for label, said in scores.items()}
    return dict(zip(labels, crops.chunk(len(labels), dim=3), strict=True)), notes


def duels() -> dict[str, dict[str, Any]]:
    """Return how two minutes of training on half of a photo compare with Real-ESRGAN, from ``benchmarks/subjects``.

    Returns
    -------
    dict
        Name of the row -> by how many dB the two minutes are ahead in ``"psnr"``, the lowest and the highest of three
        seeds; and how many of 25 votes they got for ``"looks"`` and for ``"nearness"``.
    """
    return json.loads(ROWS.joinpath("duels.json").read_text(encoding="utf-8"))
