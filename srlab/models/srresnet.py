"""SRResNet, and MSRResNet without batch norm. Comments give shapes for one image of h x w LR pixels at scale 4."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.models.layers import InPlacePReLU, ShuffledConv2d, factors, radius_of_upsampling, start_small


class ResidualBlock(nn.Module):
    """conv, BN, PReLU, conv, BN, add (Ledig et al. 2017, figure 4). Each convolution has its own BN."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(num_features, num_features, 3, padding=1),
            nn.BatchNorm2d(num_features),
            InPlacePReLU(),
            nn.Conv2d(num_features, num_features, 3, padding=1),
            nn.BatchNorm2d(num_features),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, num_features, h, w)`` to the same shape."""
        return x + self.body(x)


class SRResNet(nn.Module):
    """SRResNet, the generator of SRGAN (Ledig et al. 2017, section 2.1.1 and figure 4).

    1,549,462 parameters with the defaults (scalar PReLUs, convolutions with biases).

    Parameters
    ----------
    scale
        2, 3, 4 or 8.
    """

    def __init__(self, num_blocks: int = 16, num_features: int = 64, scale: int = 4) -> None:
        super().__init__()
        self.config = {"num_blocks": num_blocks, "num_features": num_features, "scale": scale}
        self.head = nn.Sequential(nn.Conv2d(3, num_features, 9, padding=4), InPlacePReLU())
        self.blocks = nn.Sequential(*[ResidualBlock(num_features) for _ in range(num_blocks)])
        self.fuse = nn.Sequential(nn.Conv2d(num_features, num_features, 3, padding=1), nn.BatchNorm2d(num_features))
        *first, last = factors(scale)
        self.upsample = nn.Sequential()
        for factor in first:
            self.upsample.append(nn.Conv2d(num_features, num_features * factor**2, 3, padding=1))
            self.upsample.append(nn.PixelShuffle(factor))
            self.upsample.append(InPlacePReLU())
        self.upsample.append(nn.Conv2d(num_features, num_features * last**2, 3, padding=1))
        self.upsample.append(InPlacePReLU())
        # The last pixel shuffle is inside the tail, which computes the same result in less time.
        self.tail = ShuffledConv2d(num_features, 3, 9, last)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        shallow = self.head(lr)  # (N, 64, h, w)
        deep = shallow + self.fuse(self.blocks(shallow))  # (N, 64, h, w)
        return self.tail(self.upsample(deep))  # (N, 256, 2h, 2w) -> (N, 3, 4h, 4w)

    @property
    def radius(self) -> int:
        """Receptive radius in LR pixels; 40 with the defaults."""
        num_blocks, scale = self.config["num_blocks"], self.config["scale"]
        return math.ceil(4 + 2 * num_blocks + 1 + radius_of_upsampling(scale) + 4 / scale)


class ResidualBlockNoBN(nn.Module):
    """conv, ReLU, conv, add: the block of EDSR and MSRResNet."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, num_features, h, w)`` to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


class MSRResNet(nn.Module):
    """SRResNet as modified by BasicSR: no batch norm, and the network adds detail to bilinear interpolation.

    With the small initial weights (x0.1), the first output is nearly the bilinear image instead of nearly black.
    1,517,571 parameters with the defaults.

    Parameters
    ----------
    scale
        2, 3, 4 or 8.
    """

    def __init__(self, num_blocks: int = 16, num_features: int = 64, scale: int = 4) -> None:
        super().__init__()
        self.config = {"num_blocks": num_blocks, "num_features": num_features, "scale": scale}
        self.head = nn.Conv2d(3, num_features, 3, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlockNoBN(num_features) for _ in range(num_blocks)])
        self.upsample = nn.Sequential()
        for factor in factors(scale):
            self.upsample.append(nn.Conv2d(num_features, num_features * factor**2, 3, padding=1))
            self.upsample.append(nn.PixelShuffle(factor))
            self.upsample.append(nn.LeakyReLU(0.1, inplace=True))
        self.tail = nn.Sequential(
            nn.Conv2d(num_features, num_features, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(num_features, 3, 3, padding=1),
        )
        start_small(self)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        features = self.blocks(F.leaky_relu(self.head(lr), 0.1))  # (N, 64, h, w)
        detail = self.tail(self.upsample(features))  # (N, 64, 4h, 4w) -> (N, 3, 4h, 4w)
        return detail + F.interpolate(lr, scale_factor=self.config["scale"], mode="bilinear", align_corners=False)

    @property
    def radius(self) -> int:
        """Receptive radius in LR pixels; 35 with the defaults."""
        num_blocks, scale = self.config["num_blocks"], self.config["scale"]
        return math.ceil(1 + 2 * num_blocks + radius_of_upsampling(scale) + 2 / scale)
