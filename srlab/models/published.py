"""Networks from weights that others have published: RRDBNet as srlab's own, all others through spandrel."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.base.files import all_finite
from srlab.models.pretrained import load_weights
from srlab.models.rrdbnet import RRDBNet

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor  # its import takes seconds

# Our name of a layer (which is BasicSR's) in the naming of the ESRGAN release; its blocks are RRDB_trunk.0.RDB1.conv1.
RELEASED = {"trunk_conv": "conv_body", "HRconv": "conv_hr", "upconv1": "conv_up1", "upconv2": "conv_up2"}
RELEASED |= {"upconv3": "conv_up3"}
SCALES = (2, 3, 4, 8)


class Published(nn.Module):
    """A network of spandrel, as the rest of srlab takes one: its output keeps the size whatever the input's is.

    Parameters
    ----------
    found
        From `spandrel.ModelLoader`: an ``ImageModelDescriptor``. It pads what its network cannot take.

    Attributes
    ----------
    config : dict
        The ``scale``.
    tile, overlap : int
        In LR pixels, see `srlab.inference.tiling`. Networks with attention take more memory for a pixel than ours, and
        look farther; as multiples of 32 both keep their windows where they are in the whole image.
    """

    tile, overlap = 192, 32

    def __init__(self, found: "ImageModelDescriptor") -> None:
        super().__init__()
        self.descriptor, self.network = found, found.model
        self.config = {"scale": found.scale}

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)`` in [0, 1], without gradients."""
        # A copy, as RCAN writes over its input, and some of these networks cannot take channels_last.
        return self.descriptor(lr.clone(memory_format=torch.contiguous_format))


def read_published(path: Path) -> nn.Module:
    """Build a network from a file of weights alone; what network it is follows from their names and shapes.

    Parameters
    ----------
    path
        A ``.pth`` or ``.safetensors`` file of RRDBNet, in the naming of the ESRGAN release
        (``RRDB_trunk.0.RDB1.conv1.weight``, or the older ``model.1.sub.0.RDB1.conv1.0.weight``) or of BasicSR
        (``body.0.rdb1.conv1.weight``), or of any other network for super-resolution that spandrel knows.

    Returns
    -------
    torch.nn.Module
        `RRDBNet` or `Published`; in eval mode, on the CPU.

    Raises
    ------
    SrlabError
        The file is damaged, or its network is unknown, does not enlarge RGB x2, x3, x4 or x8, or is no network for
        super-resolution of any photo.
    """
    weights = load_weights(path)
    if not all_finite(weights):
        raise SrlabError(f"{path} has values that are no numbers (NaN or infinite); replace the file.")
    return (_rrdbnet(weights) or _published(weights, path)).eval()


def _rrdbnet(weights: dict[str, torch.Tensor]) -> RRDBNet | None:
    """The RRDBNet of these weights, None if they are another network's; its sizes follow from their shapes."""
    old = _old_layers(weights)
    weights = {_our_name(theirs, old): value for theirs, value in weights.items()}
    shapes = {name: value.shape for name, value in weights.items()}
    blocks = {name.split(".")[1] for name in weights if name.startswith("body.")}
    steps = [name for name in weights if re.fullmatch(r"conv_up\d\.weight", name)]
    try:
        features, growth = shapes["conv_first.weight"][0], shapes["body.0.rdb1.conv1.weight"][0]
        fusion = shapes["body.0.rdb1.conv5.weight"][3]
        with torch.device("meta"):  # shapes alone
            network = RRDBNet(len(blocks), features, growth, 2 ** len(steps), fusion)
    except (KeyError, IndexError, SrlabError):
        return None
    if {name: value.shape for name, value in network.state_dict().items()} != shapes:
        return None
    network.to_empty(device="cpu").load_state_dict(weights)
    return network


def _our_name(theirs: str, old: dict[int, str]) -> str:
    """Name of a tensor in our RRDBNet, given the older release's layers; a name in no known naming stays as it is."""
    if found := re.fullmatch(r"RRDB_trunk\.(\d+)\.RDB(\d)\.(conv\d)\.(\w+)", theirs):
        return "body.{}.rdb{}.{}.{}".format(*found.groups())
    if found := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d)\.0\.(\w+)", theirs):
        return "body.{}.rdb{}.{}.{}".format(*found.groups())
    if found := re.fullmatch(r"model\.1\.sub\.\d+\.(\w+)", theirs):
        return f"conv_body.{found[1]}"
    if found := re.fullmatch(r"model\.(\d+)\.(\w+)", theirs):
        return f"{old[int(found[1])]}.{found[2]}"
    layer, _, kind = theirs.rpartition(".")
    return f"{RELEASED.get(layer, layer)}.{kind}"


def _old_layers(weights: dict[str, torch.Tensor]) -> dict[int, str]:
    """Place in the older release's one long list -> our layer: first, then each step of the growth, and two more."""
    places = sorted({int(found[1]) for name in weights if (found := re.fullmatch(r"model\.(\d+)\.\w+", name))})
    layers = ["conv_first", *(f"conv_up{step + 1}" for step in range(len(places) - 3)), "conv_hr", "conv_last"]
    return dict(zip(places, layers, strict=False))


def _published(weights: dict[str, torch.Tensor], path: Path) -> Published:
    from spandrel import ModelLoader, UnsupportedModelError

    try:
        found = ModelLoader("cpu").load_from_state_dict(weights)
    except UnsupportedModelError as error:
        raise SrlabError(f"{path} holds no network that srlab or spandrel knows; give another file.") from error
    except Exception as error:  # each of its architectures has its own ways to meet weights that do not fit
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise SrlabError(f"The weights in {path} fit none of the networks they look like ({reason}).") from error
    name = found.architecture.name
    if found.purpose != "SR":
        raise SrlabError(
            f"{path} is a {name}, whose purpose is {found.purpose}; give a network for super-resolution of any photo."
        )
    channels = (found.input_channels, found.output_channels)
    if found.scale not in SCALES or channels != (3, 3):
        raise SrlabError(
            f"{path} is a {name} that enlarges x{found.scale} from {channels[0]} to {channels[1]} channels; give one "
            f"from RGB to RGB that enlarges x{', x'.join(map(str, SCALES))}."
        )
    return Published(found)
