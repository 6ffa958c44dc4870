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
# Discriminators by their name in recipes; `build_discriminator` builds them.
DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "patch": PatchDiscriminator,
    "srgan": SRGANDiscriminator,
    "vgg": VGGDiscriminator,
}


def parameter_count(model: nn.Module) -> int:
    """Return the number of parameters, trainable and frozen; buffers such as BN statistics do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


def build_discriminator(name: str, patch: int, num_features: int = 0) -> nn.Module:
    """Build a new discriminator for HR patches of `patch` x `patch` pixels.

    `num_features` is the number of channels of the first layer; 0 means the published number.
    """
    if name not in DISCRIMINATORS:
        raise SrlabError(f"'{name}' is not a discriminator. Use one of {', '.join(DISCRIMINATORS)}.")
    arguments = {"num_features": num_features} if num_features else {}
    arguments |= {"size": patch} if name in ("srgan", "vgg") else {}
    return DISCRIMINATORS[name](**arguments)
