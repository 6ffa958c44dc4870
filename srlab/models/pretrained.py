"""ImageNet weights of torchvision's networks: where they are found, how they are fetched, and never by surprise.

`"auto"` takes a file that is already there and downloads nothing; ``"imagenet"`` downloads; a path is read or
refused. What no weights mean (random features, or no LPIPS) is for the caller to decide and to say.
"""

import hashlib
import re
import zipfile
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import torch

from srlab.base import files
from srlab.base.errors import SrlabError


def source(name: str) -> tuple[str, str]:
    """Where the ImageNet weights of a torchvision network come from.

    Parameters
    ----------
    name
        As torchvision spells it: ``"alexnet"``, ``"vgg19"``, ``"resnet34"``.

    Returns
    -------
    tuple of str
        The address, and the first digits of the file's SHA-256 (they are part of its name).
    """
    from torchvision.models import get_model_weights

    try:
        url = get_model_weights(name).IMAGENET1K_V1.url
    except (ValueError, AttributeError) as error:
        raise SrlabError(f"torchvision has no ImageNet weights for '{name}'; choose one such as vgg19.") from error
    return url, url.rpartition("-")[2].partition(".")[0]


def cached(name: str) -> Path:
    """Path of a network's weights in torch's cache, whether the file is there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / source(name)[0].rpartition("/")[2]


def find_weights(name: str, weights: str | Path = "auto") -> Path | None:
    """Find the weights of a torchvision network by the policy of the course.

    Parameters
    ----------
    name
        As torchvision spells it, for example ``"vgg19"``.
    weights
        ``"auto"``: torch's cache or nothing, never a download. ``"imagenet"``: torch's cache, or a download into
        it. Anything else is the path of a file.

    Returns
    -------
    Path or None
        None only for ``"auto"`` when nothing is there.

    Raises
    ------
    SrlabError
        The download failed, the file at the path is missing, or the file in the cache is not the right one.
    """
    if weights not in ("auto", "imagenet"):
        path = Path(weights).expanduser()
        if not path.is_file():
            raise SrlabError(f"There is no weights file {path}; give 'auto', 'imagenet' or the path of a file.")
        if found := re.search(r"-([0-9a-f]{8})\.pth$", path.name):  # torchvision's names end in the file's hash
            _verify(path, found[1])
        return path
    path = cached(name)
    if path.is_file():
        _verify(path, source(name)[1])
        return path
    return download_weights(name) if weights == "imagenet" else None


def download_weights(name: str) -> Path:
    """Download the ImageNet weights of a torchvision network into torch's cache, with a progress bar.

    The file gets its name only when it is complete and its hash is right.

    Raises
    ------
    SrlabError
        No network, no such file on the server, a cut transfer or a wrong hash, or no room on the disk.
    """
    url, digits = source(name)
    path = cached(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digits)
    except RuntimeError as error:
        raise SrlabError(f"The download of {url} was cut short or altered ({error}); try again.") from error
    except URLError as error:
        raise SrlabError(
            f"Could not download {url} ({error}); on a machine without network, put the file at {path} yourself."
        ) from error
    except (OSError, HTTPException) as error:
        raise SrlabError(f"The download of {url} to {path} failed ({error}); check network and disk.") from error
    return path


def remedy(name: str) -> str:
    """The one line that gets real weights, for whoever works without them."""
    return f"""python -c "import srlab; srlab.models.pretrained.find_weights('{name}', 'imagenet')\""""


def load_weights(path: Path, network: str = "") -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.pth`` or ``.safetensors`` file; nothing in it is ever executed.

    A file that `srlab.models.features.export` wrote is held to the hash in its notes.

    Parameters
    ----------
    path
        Of the file.
    network
        Whose weights they must be, where the file says whose they are; anybody's if empty.

    Returns
    -------
    dict
        Name -> tensor, on the CPU.

    Raises
    ------
    SrlabError
        The file is damaged, of another network, or holds something other than named tensors.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                has_notes = "srlab" in (file.metadata() or {})
            if not has_notes:
                return load_file(path)
            weights, notes = files.read_safetensors(path)
            if network and notes.get("network") != network:
                said = notes.get("network", "a run")
                raise SrlabError(f"{path} has weights of {said}, not of {network}; give the file of that network.")
            return weights
        if zipfile.is_zipfile(path):  # as torch.save writes them; torch itself does not look at the checksums
            with zipfile.ZipFile(path) as archive:
                if (member := archive.testzip()) is not None:
                    raise ValueError(f"{member} is not what was written")
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise SrlabError(
            f"{path} is damaged or holds more than tensors, so it is not loaded; give a state dict as torchvision's."
        ) from error
    except (SafetensorError, zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SrlabError(f"The weights file {path} is damaged or cut short ({reason}); replace it.") from error
    if isinstance(weights, dict):  # BasicSR wraps its weights, the averaged ones beside the last ones
        weights = weights.get("params_ema", weights.get("params", weights))
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise SrlabError(f"{path} holds no state dict (names and tensors); give one as torchvision's.")
    return weights


def fill(network: torch.nn.Module, weights: dict[str, torch.Tensor], names: dict[str, str], path: Path) -> None:
    """Copy weights into a network, all of them or none.

    Parameters
    ----------
    network
        Gets the weights.
    weights
        As `load_weights` read them.
    names
        Name in the network -> name in the file, for every parameter and buffer of the network.
    path
        Of the file, for the message.

    Raises
    ------
    SrlabError
        A tensor is missing, or has another shape: this is the file of another network.
    """
    own = network.state_dict()
    for name, theirs in names.items():
        found = weights.get(theirs)
        if found is None or found.shape != own[name].shape:
            what = "is missing" if found is None else f"has shape {tuple(found.shape)}"
            raise SrlabError(
                f"{path} does not fit: '{theirs}' {what}, but must have shape {tuple(own[name].shape)}; "
                "it is the file of another network."
            )
        if not found.isfinite().all():
            raise SrlabError(f"{path} has NaN or infinity in '{theirs}'; replace the file.")
    network.load_state_dict({name: weights[theirs] for name, theirs in names.items()})


def _verify(path: Path, digits: str) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(digits):
        raise SrlabError(f"{path} is not the file its name says (SHA-256 begins {digest[:8]}); delete it.")
