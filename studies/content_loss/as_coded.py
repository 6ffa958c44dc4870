"""Networks of the SRGAN content-loss study as in its code, bugs included, to reproduce its results.

The study's text describes the networks of SRGAN: `srlab.models.SRResNet` and `srlab.models.SRGANDiscriminator`. After
`register`, labs and `srlab.load_generator` find the networks of this file by name, too.
"""

from functools import partial

import torch
import torch.nn as nn
from torchvision.models.resnet import BasicBlock, ResNet

from srlab import models
from srlab.models import backbones, features
from srlab.models.layers import factors
from srlab.models.srresnet import SRResNet
from srlab_course.lab import sizes


def register() -> None:
    """Add these networks to those that srlab finds by name; a second call changes nothing."""
    models.GENERATORS["CodedSRResNet"] = CodedSRResNet
    models.DISCRIMINATORS["coded"] = CodedDiscriminator
    if "CodedSRResNet" not in sizes.TRAINED_ON_PAIRS:
        sizes.TRAINED_ON_PAIRS.append("CodedSRResNet")
    for whole, blocks in {"resnet18": [2, 2, 2, 2], "resnet34": [3, 4, 6, 3]}.items():
        features.BUILDERS[f"{whole}_without_stage1"] = partial(ResNetWithoutStage1, BasicBlock, blocks)
        backbones.NETWORKS[f"{whole}_without_stage1"] = whole  # it uses the weights of the whole network


class CodedResidualBlock(nn.Module):
    """conv, BN, PReLU, conv, BN, add, with the same batch norm in both places; no biases.

    In training each place is normalized with its own batch, but the running statistics mix both. So in eval mode the
    block computes a different function from the trained one. The extra *Why isn't my network learning?* measures this.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(num_features)
        self.act = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, num_features, h, w)`` to the same shape."""
        return x + self.bn(self.conv2(self.act(self.bn(self.conv1(x)))))


class CodedSRResNet(nn.Module):
    """SRResNet without biases and with `CodedResidualBlock`; `scale` is 2, 3, 4 or 8."""

    def __init__(self, num_blocks: int = 16, num_features: int = 64, scale: int = 4) -> None:
        super().__init__()
        self.config = {"num_blocks": num_blocks, "num_features": num_features, "scale": scale}
        self.head = nn.Sequential(nn.Conv2d(3, num_features, 9, padding=4, bias=False), nn.PReLU())
        self.blocks = nn.Sequential(*[CodedResidualBlock(num_features) for _ in range(num_blocks)])
        self.fuse = nn.Sequential(
            nn.Conv2d(num_features, num_features, 3, padding=1, bias=False), nn.BatchNorm2d(num_features)
        )
        self.upsample = nn.Sequential()
        for factor in factors(scale):
            self.upsample.append(nn.Conv2d(num_features, num_features * factor**2, 3, padding=1, bias=False))
            self.upsample.append(nn.PixelShuffle(factor))
            self.upsample.append(nn.PReLU())
        self.tail = nn.Conv2d(num_features, 3, 9, padding=4, bias=False)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        shallow = self.head(lr)
        return self.tail(self.upsample(shallow + self.fuse(self.blocks(shallow))))

    # The kernels are the same, in the same places, as in SRResNet.
    radius = SRResNet.radius


class CodedDiscriminator(nn.Module):
    """The study's D: SRGAN's without the 256-channel convolution of stride 2.

    Its head cannot run as printed: a Linear without an input width, then average pooling of a matrix. So here the
    average comes first. In the study's code D does not influence G anyway, because no gradient of D reaches G.
    """

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, int] = {}
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.LeakyReLU(0.2)]
        for inputs, outputs, stride in (
            *((64, 64, 2), (64, 128, 1), (128, 128, 2)),
            *((128, 256, 1), (256, 512, 1), (512, 512, 2)),
        ):
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(512, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` in [0, 1] to logits ``(N, 1)``."""
        return self.head(self.convolutions(image).mean(dim=(2, 3)))


class ResNetWithoutStage1(ResNet):
    """ResNet18 or 34 that does not compute its first stage, which does not change the width.

    The stage and its weights are still there, so weights files of the whole network fit, and blocks have its numbers.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map normalized images ``(N, 3, H, W)`` to logits ``(N, 1000)``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(x)))
        return self.fc(self.avgpool(x).flatten(1))
