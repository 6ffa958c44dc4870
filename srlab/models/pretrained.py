"""Find and read pretrained weights: torchvision's, which are never downloaded by surprise, and any file of tensors.

``"auto"`` uses a file that is already there; ``"imagenet"`` downloads it; a path must exist. What follows from missing
weights (random features, or no LPIPS) is up to the caller.
"""

import re
from pathlib import Path
from urllib.error import URLError

import torch

from srlab.errors import SrlabError
from srlab.files import read_safetensors, sha256_of, writing

# The course's own small network; `benchmarks/reference/ship_features.py` has made its weights.
OWN = "vgg6"
OWN_WEIGHTS = Path(__file__).parent / "shipped" / f"{OWN}.safetensors"


def weights_url(name: str) -> str:
    """Return the address of torchvision's ImageNet weights, which ends in digits of the file's SHA-256."""
    from torchvision.models import get_model_weights  # importing torchvision costs a second

    return get_model_weights(name).IMAGENET1K_V1.url


def find_weights(name: str, weights: str | Path = "auto") -> Path | None:
    """Find the weights file of a torchvision network, or of ``vgg6``, which comes with srlab.

    Parameters
    ----------
    name
        Name in torchvision, for example ``"vgg19"``; or ``"vgg6"``.
    weights
        ``"auto"``: the file in torch's cache, if any. ``"imagenet"``: the same, downloaded if necessary. Anything else
        is the path of a file.

    Returns
    -------
    Path or None
        None only for ``"auto"``, if there is no file.

    Raises
    ------
    SrlabError
        The download failed, the file is missing, or its SHA-256 is not the one in its name.
    """
    if name == OWN and weights in ("auto", "imagenet"):
        return OWN_WEIGHTS
    if weights in ("auto", "imagenet"):
        url = weights_url(name)
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if weights == "auto" and not path.is_file():
            return None
        if not path.is_file():
            _download(url, path)
    else:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise SrlabError(f"There is no weights file {path}; give 'auto', 'imagenet' or the path of a file.")
    if digits := _hash_in_name(path):
        found = sha256_of(path)
        if not found.startswith(digits):
            raise SrlabError(f"{path} is not the file its name says (SHA-256 begins {found[:8]}); delete it.")
    return path


def _download(url: str, path: Path) -> None:
    """Download a file, which appears under its name only when it is complete and has the hash in its name."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), _hash_in_name(path))
        except (URLError, RuntimeError) as error:
            raise SrlabError(
                f"Could not download {url} ({error}). Check the network, or put the file at {path} yourself."
            ) from error


def _hash_in_name(path: Path) -> str:
    """Return the digits of the SHA-256 in a name of torchvision, or "" if there are none."""
    found = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    return found[1] if found else ""


def remedy(name: str) -> str:
    """Return the command that downloads real weights."""
    name = "vgg19" if name == OWN else name
    return f"""python -c "from srlab.models.pretrained import find_weights; find_weights('{name}', 'imagenet')\""""


# Keys under which training programs save the weights; averaged ones come first.
WRAPPERS = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net")


def load_weights(path: Path, network: str = "") -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.pth`` or ``.safetensors`` file; nothing in it is ever executed.

    Parameters
    ----------
    path
        File to read.
    network
        Network that the weights must belong to, if the file names one; "" for any.

    Returns
    -------
    dict
        Name -> tensor, on the CPU.

    Raises
    ------
    SrlabError
        The file is missing, damaged, of another network, or contains anything but named arrays of finite numbers.
    """
    if path.suffix == ".safetensors":
        weights, notes = read_safetensors(path)
        whose = notes.get("network", network)
        if network and whose != network:
            raise SrlabError(f"{path} has weights of {whose}, not of {network}; give the file of that network.")
    else:
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch has many ways to meet bytes that it did not write
            raise SrlabError(
                f"{path} is damaged or holds more than tensors, so it is not loaded; use a state dict of tensors."
            ) from error
    for wrapper in WRAPPERS:
        if isinstance(weights, dict) and isinstance(weights.get(wrapper), dict):
            weights = weights[wrapper]
            break
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights.items()
    ):
        raise SrlabError(f"{path} holds no state dict (names and tensors); use one like torchvision's.")
    for name, value in weights.items():
        wanted = value.is_floating_point() or not name.endswith((".weight", ".bias"))
        # Each number is in the file: an expanded or sparse tensor might take far more memory.
        plain = value.layout is torch.strided and value.nbytes <= value.untyped_storage().nbytes()
        if not (wanted and plain and value.isfinite().all()):
            raise SrlabError(
                f"{path} has something else than an array of finite floats in '{name}' (NaN, say); replace the file."
            )
    return weights


def fill(network: torch.nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Copy weights into a network, all of them or none.

    Parameters
    ----------
    network
        Network to fill.
    weights
        Name -> tensor, from `load_weights`; more than the network needs is fine.
    path
        File of the weights, for the message.

    Raises
    ------
    SrlabError
        A tensor is missing or has another shape: this is the file of another network.
    """
    # Without the counters of batch norm (num_batches_tracked), which nothing reads and old files lack.
    own = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    for name, value in own.items():
        if name not in weights or weights[name].shape != value.shape:
            raise SrlabError(
                f"{path} does not fit: '{name}' is missing or has another shape than {tuple(value.shape)}; "
                "it is the file of another network."
            )
    network.load_state_dict({name: weights[name] for name in own}, strict=False)


def is_trained(features: str, backbone: str) -> bool:
    """Return whether the content loss has trained weights, here or from a download."""
    return backbone != "random" and (backbone != "auto" or find_weights(features.split()[0]) is not None)
