"""Networks as plain PyTorch modules; `Generator` describes what those from LR to SR define besides their layers."""

from torch import nn

from srlab.errors import SrlabError
from srlab.models.discriminators import PatchDiscriminator as PatchDiscriminator
from srlab.models.discriminators import SRGANDiscriminator as SRGANDiscriminator
from srlab.models.discriminators import VGGDiscriminator as VGGDiscriminator
from srlab.models.discriminators import WithNoise as WithNoise
from srlab.models.discriminators import frozen as frozen
from srlab.models.flow import FlowBlock as FlowBlock
from srlab.models.flow import FlowNet as FlowNet
from srlab.models.generator import Generator as Generator
from srlab.models.layers import ShuffledConv2d as ShuffledConv2d
from srlab.models.rrdbnet import RRDB as RRDB
from srlab.models.rrdbnet import ResidualDenseBlock as ResidualDenseBlock
from srlab.models.rrdbnet import RRDBNet as RRDBNet
from srlab.models.srresnet import MSRResNet as MSRResNet
from srlab.models.srresnet import ResidualBlock as ResidualBlock
from srlab.models.srresnet import ResidualBlockNoBN as ResidualBlockNoBN
from srlab.models.srresnet import SRResNet as SRResNet

# Generators by the name of their class, which recipes and weights files also use.
GENERATORS: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (SRResNet, MSRResNet, RRDBNet, FlowNet)
}
# Generators that labs 01 to 03 train on pairs. FlowNet would draw noise and train through its sampler.
TRAINED_ON_PAIRS = [name for name in GENERATORS if name != "FlowNet"]
# Discriminators by their name in recipes; `build_discriminator` builds them.
DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "patch": PatchDiscriminator,
    "srgan": SRGANDiscriminator,
    "vgg": VGGDiscriminator,
}
# Arguments of a generator for each value of the labs' parameter `size`; "laptop" trains in a minute or two on a laptop.
SIZES = {
    "tiny": {"num_blocks": 1, "num_features": 16},
    "laptop": {"num_blocks": 4, "num_features": 32},
    "paper": {"num_blocks": 16, "num_features": 64},
}
# The same for RRDBNet. The small ones add their output to an upscaled LR, because they are trained only for minutes.
RRDB_SIZES = {
    "tiny": {"num_blocks": 1, "num_features": 16, "growth": 8, "enlarge": True},
    "laptop": {"num_blocks": 2, "num_features": 32, "growth": 16, "enlarge": True},
    "paper": {"num_blocks": 23, "num_features": 64, "growth": 32},
}
# The same for FlowNet, which needs more features, because it draws all 48 values of a pixel of LR at once.
FLOW_SIZES = {
    "tiny": {"num_blocks": 1, "num_features": 16},
    "laptop": {"num_blocks": 4, "num_features": 96},
    "paper": {"num_blocks": 16, "num_features": 128},
}


def parameter_count(model: nn.Module) -> int:
    """Return the number of parameters, trainable and frozen; buffers such as BN statistics do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


def check_limit(model: nn.Module, limit: int) -> None:
    """Reject a network with more parameters than a challenge allows; 0 means no limit."""
    count = parameter_count(model)
    if limit and count > limit:
        raise SrlabError(
            f"{type(model).__name__} has {count:,} parameters, more than the limit of {limit:,}. "
            "Use fewer blocks or features, or set parameter_limit to 0."
        )


def build_discriminator(name: str, patch: int, num_features: int = 0) -> nn.Module:
    """Build a new discriminator for HR patches of `patch` x `patch` pixels.

    `num_features` is the number of channels of the first layer; 0 means the published number.
    """
    if name not in DISCRIMINATORS:
        raise SrlabError(f"'{name}' is not a discriminator. Use one of {', '.join(DISCRIMINATORS)}.")
    arguments = {"num_features": num_features} if num_features else {}
    arguments |= {"size": patch} if name in ("srgan", "vgg") else {}
    return DISCRIMINATORS[name](**arguments)


def pick_size(size: str, network: str = "MSRResNet", **changes: int) -> dict[str, int | bool]:
    """Return the arguments of a generator for a key of its table, such as `SIZES`, with ``changes`` to some of them.

    Changes to 0 and False are ignored.
    """
    if network not in GENERATORS:
        raise SrlabError(f"'{network}' is not a generator. Use one of {', '.join(GENERATORS)}.")
    sizes = {"RRDBNet": RRDB_SIZES, "FlowNet": FLOW_SIZES}.get(network, SIZES)
    if size not in sizes:
        raise SrlabError(f"'{size}' is not a valid size. Use one of {', '.join(sizes)}.")
    return sizes[size] | {name: value for name, value in changes.items() if value}
