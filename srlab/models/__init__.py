"""The networks, as plain modules.

Each generator knows its receptive radius: how many LR pixels to each side of an SR pixel can change it.
"""

from collections.abc import Callable

from torch import nn

from srlab.base.errors import SrlabError
from srlab.models.as_coded import CodedDiscriminator as CodedDiscriminator
from srlab.models.as_coded import CodedSRResNet as CodedSRResNet
from srlab.models.discriminators import PatchDiscriminator as PatchDiscriminator
from srlab.models.discriminators import SRGANDiscriminator as SRGANDiscriminator
from srlab.models.discriminators import VGGDiscriminator as VGGDiscriminator
from srlab.models.discriminators import frozen as frozen
from srlab.models.layers import ShuffledConv2d as ShuffledConv2d
from srlab.models.rrdbnet import RRDB as RRDB
from srlab.models.rrdbnet import ResidualDenseBlock as ResidualDenseBlock
from srlab.models.rrdbnet import RRDBNet as RRDBNet
from srlab.models.srresnet import MSRResNet as MSRResNet
from srlab.models.srresnet import ResidualBlock as ResidualBlock
from srlab.models.srresnet import ResidualBlockNoBN as ResidualBlockNoBN
from srlab.models.srresnet import SRResNet as SRResNet

# The networks that a lab may take, and that a weights file may be of, which notes the name of its class.
GENERATORS: dict[str, type[nn.Module]] = {
    "SRResNet": SRResNet,
    "MSRResNet": MSRResNet,
    "RRDBNet": RRDBNet,
    "CodedSRResNet": CodedSRResNet,
}
# The discriminators that a lab may take: name -> one for patches of so many pixels a side, with so many features, or
# as many as it has by itself.
DISCRIMINATORS: dict[str, Callable[[int, int], nn.Module]] = {
    "patch": lambda patch, features: PatchDiscriminator(features or 32),
    "srgan": lambda patch, features: SRGANDiscriminator(features or 64, patch),
    "vgg": lambda patch, features: VGGDiscriminator(features or 64, patch),
    "coded": lambda patch, features: CodedDiscriminator(),
}
# Blocks and features for the labs' parameter `size`; a laptop trains the one of its name in a minute or two. A network
# with other arguments, or one that is heavier, has `SIZES` of its own.
SIZES = {
    "tiny": {"blocks": 1, "features": 16},
    "laptop": {"blocks": 4, "features": 32},
    "paper": {"blocks": 16, "features": 64},
}


def parameter_count(model: nn.Module) -> int:
    """Number of trainable and frozen parameters; buffers such as BN statistics do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


def check_limit(model: nn.Module, limit: int) -> None:
    """Refuse a network with more parameters than the rules of a challenge allow.

    Parameters
    ----------
    model
        The network.
    limit
        Most parameters it may have; 0 for no limit.

    Raises
    ------
    SrlabError
        There are more.
    """
    count = parameter_count(model)
    if limit and count > limit:
        raise SrlabError(
            f"{type(model).__name__} has {count:,} parameters, more than the limit of {limit:,}; "
            "take fewer blocks or features, or set parameter_limit to 0."
        )


def build_discriminator(name: str, patch: int, features: int = 0) -> nn.Module:
    """Build a fresh discriminator.

    Parameters
    ----------
    name
        In `DISCRIMINATORS`, as the labs' parameter `discriminator` has it.
    patch
        Side of the HR patches that it will judge, in pixels.
    features
        Of its first layer; 0 for as many as the published ones have.

    Raises
    ------
    SrlabError
        There is no such discriminator, or it cannot judge patches of that side.
    """
    if name not in DISCRIMINATORS:
        raise SrlabError(f"Unknown discriminator '{name}'; choose one of {', '.join(DISCRIMINATORS)}.")
    return DISCRIMINATORS[name](patch, features)


def pick_size(size: str, network: str = "MSRResNet", **changes: int) -> dict[str, int | bool]:
    """Turn a size into blocks and features.

    Parameters
    ----------
    size
        A name in `SIZES`.
    network
        A name in `GENERATORS`.
    **changes
        Other numbers than those of the size, such as ``blocks``; 0 (or False) takes those of the size.

    Returns
    -------
    dict
        Arguments for the network; a copy, which may be changed.

    Raises
    ------
    SrlabError
        The size or the network is unknown.
    """
    if network not in GENERATORS:
        raise SrlabError(f"Unknown network '{network}'; choose one of {', '.join(GENERATORS)}.")
    sizes = getattr(GENERATORS[network], "SIZES", SIZES)
    if size not in sizes:
        raise SrlabError(f"Unknown size '{size}'; choose {', '.join(sizes)}.")
    return sizes[size] | {name: value for name, value in changes.items() if value}
