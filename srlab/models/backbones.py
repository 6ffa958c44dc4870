"""Find and read pretrained weights: torchvision's, or any file of tensors.

``"auto"`` uses a file that is already on disk, ``"imagenet"`` downloads it if necessary, and a path must exist. The
caller decides what to do without weights (use random features, or leave out LPIPS).
"""

import re
from pathlib import Path
from typing import Any

import torch

from srlab.downloading import download
from srlab.errors import SrlabError
from srlab.files import lock, sha256_of, writing
from srlab.paths import expand_user
from srlab.tensor_files import is_safetensors, read_safetensors
from srlab.torch_files import read_torch

# Networks for a content loss -> the network whose weights file they use. These are equal, unless a study adds a changed
# copy of a network here, and a function that builds it to `srlab.models.features.BUILDERS`.
NETWORKS = {
    name: name for name in ("vgg6", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet18", "resnet34", "resnet50")
}
# The small course-trained network; `benchmarks/reference/bundle_features.py` makes its weights.
OWN = "vgg6"
OWN_WEIGHTS = Path(__file__).parent / "bundled" / f"{OWN}.safetensors"
LPIPS_HEADS = OWN_WEIGHTS.with_name("lpips.safetensors")  # a weight per feature map, for five layers of AlexNet


def weights_url(name: str) -> str:
    """Return the URL of torchvision's ImageNet weights, which ends with digits of the file's SHA-256."""
    from torchvision.models import get_model_weights  # importing torchvision costs a second

    return get_model_weights(name).IMAGENET1K_V1.url


def find_weights(name: str, weights: str | Path = "auto") -> Path | None:
    """Find the weights file of a torchvision network, such as ``"vgg19"``, or of the bundled ``"vgg6"``.

    Return None only for ``"auto"``, if there is no file. A file with a hash in its name must have that SHA-256.
    """
    name = NETWORKS.get(name, name)
    if name == OWN and weights in ("auto", "imagenet"):
        return OWN_WEIGHTS
    if weights in ("auto", "imagenet"):
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        if weights == "auto" and not list(folder.glob(f"{name}*")):  # usual, and known without torchvision
            return None
        url = weights_url(name)
        path = folder / url.rpartition("/")[2]
        if weights == "auto" and not path.is_file():
            return None
        if not path.is_file():
            with writing(path), lock(path.with_name(f".{path.name}.lock")):
                if not path.is_file():  # another process may have downloaded it
                    download(url, path, _hash_in_name(path))
    else:
        path = expand_user(weights)
        if not path.is_file():
            raise SrlabError(f"Weights file {path} not found. Use 'auto', 'imagenet' or the path of a file.")
    if digits := _hash_in_name(path):
        found = sha256_of(path)
        if not found.startswith(digits):
            raise SrlabError(f"{path} does not match the hash in its name (its SHA-256: {found[:8]}...). Delete it.")
    return path


def _hash_in_name(path: Path) -> str:
    """Return the digits of the SHA-256 in a torchvision file name, or "" if there are none."""
    found = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    return found[1] if found else ""


# Keys under which training programs save the weights; averaged ones come first.
WRAPPERS = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net")


def load_weights(path: Path, network: str = "") -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.pth`` or ``.safetensors`` file; nothing in the file is executed.

    All its tensors must be plain arrays of finite numbers. If `network` is not empty and the file names a network, the
    two must match.
    """
    network = NETWORKS.get(network, network)
    if is_safetensors(path):
        weights, notes = read_safetensors(path)
        whose = notes.get("network", network)
        if network and whose != network:
            raise SrlabError(f"{path} has weights of {whose}, not of {network}. Pass the weights file of {network}.")
    else:
        try:
            weights = read_torch(path)
        except Exception as error:  # torch raises many kinds of errors for bytes that it did not write
            raise SrlabError(
                f"{path} is damaged or contains more than tensors, so it was not loaded. Use a state dict of tensors."
            ) from error
    for wrapper in WRAPPERS:
        inside: Any = weights.get(wrapper) if isinstance(weights, dict) else None
        if isinstance(inside, dict):
            weights = inside
            break
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights.items()
    ):
        raise SrlabError(f"{path} does not contain a state dict (names and tensors). Use one like torchvision's.")
    for name, value in weights.items():
        wanted = value.is_floating_point() or not name.endswith((".weight", ".bias"))
        if not (wanted and value.isfinite().all()):
            raise SrlabError(f"{path} cannot be used: '{name}' must be an array of finite floats. Replace the file.")
    return weights


def fill(network: torch.nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Copy weights into a network, either all or none; weights that it does not need are ignored."""
    # Skip the counters of batch norm (num_batches_tracked), which are not used and are missing in old files.
    own = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    for name, value in own.items():
        if name not in weights or weights[name].shape != value.shape:
            raise SrlabError(
                f"{path} does not fit: '{name}' is missing or does not have the shape {tuple(value.shape)}. "
                "Pass the weights file of this network."
            )
    network.load_state_dict({name: weights[name] for name in own}, strict=False)


def is_trained(features: str, backbone: str) -> bool:
    """Return whether the content loss uses trained weights, local or downloaded."""
    return backbone != "random" and (backbone != "auto" or find_weights(features.split()[0]) is not None)
