"""`Generator`: what a network from LR to SR defines besides its layers."""

from typing import Any, Protocol

import torch
from torch import nn


class Generator(Protocol):
    """A network in the table `srlab.models.GENERATORS`.

    `srlab.upscale` and `srlab.evaluate` take any function from LR to SR, and a network without these attributes, too. A
    weights file of such a network has no `config`, so whoever loads it builds the network first.

    Attributes
    ----------
    config
        Arguments of its class, from which a weights file or a run builds it again; one of them is ``scale``. Each is a
        number or a bool, and with ``num_blocks``, each block has equally many tensors: loading checks both.
    radius
        Receptive radius: LR pixels on each side of an SR pixel that can affect it; for attention in shifted windows,
        the largest such number. Tiles overlap by it, but by at most `srlab.tiling.MAX_OVERLAP` (the default).

    Other Attributes
    ----------------
    overlap
        Overlap of tiles in LR pixels (default: from the radius).
    tile
        Side of a tile in LR pixels (default: `srlab.tiling.TILE`); less for a network that needs more memory per pixel
        than RRDBNet.
    precision
        Meaning of the precision ``"auto"``: ``"fp32"`` for a network that fails in 16 bits, or ``"auto"`` (the default)
        for the choice of `srlab.pick_precision`.
    takes_origin
        True for a network that draws noise (default: False). It is then called as ``generator(lr, origin=(top, left))``
        with the position of a tile in LR pixels, so that the noise has no seams.
    """

    config: dict[str, Any]
    radius: int

    def __call__(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``."""


def config_of(network: nn.Module) -> dict[str, Any]:
    """Return the arguments from which a network can be built again; {} for a network of your own without `config`."""
    config: Any = getattr(network, "config", {})
    return config
