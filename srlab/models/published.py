"""RRDBNet from weights that others have published: the ESRGAN release in both of its namings, and BasicSR."""

import re
from pathlib import Path

import torch

from srlab.base.errors import SrlabError
from srlab.models import pretrained as backbones
from srlab.models.rrdbnet import RRDBNet

# Our name of a layer (which is BasicSR's) in the naming of the release; its blocks are RRDB_trunk.0.RDB1.conv1.
RELEASED = {"trunk_conv": "conv_body", "HRconv": "conv_hr", "upconv1": "conv_up1", "upconv2": "conv_up2"}
RELEASED |= {"upconv3": "conv_up3"}


def read_rrdbnet(path: Path) -> RRDBNet:
    """Build RRDBNet from a file of weights alone; blocks, features, growth, fusion and scale follow from their shapes.

    Parameters
    ----------
    path
        A ``.pth`` or ``.safetensors`` file in the naming of the ESRGAN release (``RRDB_trunk.0.RDB1.conv1.weight``, or
        the older ``model.1.sub.0.RDB1.conv1.0.weight``) or of BasicSR (``body.0.rdb1.conv1.weight``).

    Returns
    -------
    RRDBNet
        In eval mode, on the CPU.

    Raises
    ------
    SrlabError
        The file is damaged, or its weights are not those of an RRDBNet from RGB to RGB.
    """
    weights = backbones.load_weights(path)
    old = _old_layers(weights)
    names = {_our_name(theirs, old): theirs for theirs in weights}
    shapes = {ours: tuple(weights[theirs].shape) for ours, theirs in names.items()}
    blocks = {int(found[1]) for name in names if (found := re.match(r"body\.(\d+)\.rdb", name))}
    steps = [name for name in names if re.fullmatch(r"conv_up\d\.weight", name)]
    needed = ("conv_first.weight", "body.0.rdb1.conv1.weight", "body.0.rdb1.conv5.weight", "conv_last.weight")
    if not steps or any(len(shapes.get(name, ())) != 4 for name in needed):
        raise SrlabError(f"{path} holds no weights of an RRDBNet, the only network that is read without notes on it.")
    if shapes["conv_first.weight"][1] != 3 or shapes["conv_last.weight"][0] != 3:
        raise SrlabError(
            f"{path} is an RRDBNet from {shapes['conv_first.weight'][1]} to {shapes['conv_last.weight'][0]} channels; "
            "srlab has the one from RGB to RGB, without a pixel unshuffle in front."
        )
    network = RRDBNet(
        blocks=len(blocks),
        features=shapes["conv_first.weight"][0],
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        scale=2 ** len(steps),
        fusion=shapes["body.0.rdb1.conv5.weight"][-1],
    )
    if surplus := sorted(set(names) - set(network.state_dict())):
        raise SrlabError(f"{path} has '{names[surplus[0]]}', which RRDBNet has not: it is the file of another network.")
    backbones.fill(network, weights, {ours: names.get(ours, ours) for ours in network.state_dict()}, path)
    return network.eval()


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
