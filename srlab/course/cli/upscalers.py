"""What the commands enlarge with: a network, or an interpolation."""

import argparse

from srlab.base.devices import pick_device
from srlab.base.errors import SrlabError
from srlab.data.images import check_scale
from srlab.data.resampling import upsample
from srlab.inference.tiling import Upscaler
from srlab.models.weights import read_generator

RUN = (
    "<lab>/<name>, a run folder, a weights file (.safetensors or .pth, also of others' networks), what comes along: "
    "msrresnet, rrdb, or srgan, which is sharper and less faithful; or realesrgan, the published network"
)


def add_choice(group: argparse._MutuallyExclusiveGroup, default: str = "") -> None:
    """Add ``--run`` and ``--method`` to a parser."""
    group.add_argument("--run", metavar="RUN", help=RUN + (f" (default: {default})" if default else ""))
    group.add_argument("--method", choices=["nearest", "bilinear", "bicubic", "lanczos"], help="an interpolation")


def pick_upscaler(run: str, method: str | None, scale: int | None, device: str) -> tuple[Upscaler, int]:
    """Read a network, or take an interpolation, and say how many times larger it makes an image.

    Parameters
    ----------
    run
        As `srlab.models.weights.read_generator` takes it; ignored with a method.
    method
        Of `srlab.data.resampling.upsample`, or None.
    scale
        What is asked for; None takes the network's own, and 4 for a method.
    device
        Where the network runs.

    Raises
    ------
    SrlabError
        The scale is no whole number of at least 1 or not the network's, or the network cannot be read.
    """
    if method:
        scale = 4 if scale is None else scale
        check_scale(scale)
        return lambda lr: upsample(lr, scale, method), scale
    network = read_generator(run).to(pick_device(device))
    own = network.config["scale"]
    if scale not in (None, own):
        raise SrlabError(f"{run} enlarges x{own}, but --scale is {scale}; give --scale {own}.")
    return network, own
