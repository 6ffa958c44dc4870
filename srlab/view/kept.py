"""Pictures that take longer to make than a lab may; ``python -m benchmarks.gravel.measure`` makes them."""

from importlib.resources import files

import torch

from srlab.data.images import read_image
from srlab.view.drawings import find

FOLDER = files("srlab.view").joinpath("pictures")


def picture(name: str) -> torch.Tensor:
    """Read one of them.

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
        There is none of that name; the message lists those there are.
    """
    return read_image(str(find(FOLDER, "picture", name)))[None]
