"""RRDBNet, the generator of ESRGAN. Comments give shapes for one image of h x w LR pixels at scale 4."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.errors import SrlabError
from srlab.models.layers import check_size, factors, start_small


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees the outputs of all before it (Wang et al. 2018, figure 4)."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2, inplace=True)), dim=1)
        return x + 0.2 * self.conv5(seen)


class RRDB(nn.Module):
    """Residual in residual: three dense blocks and a skip around them, both scaled by 0.2."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(features, growth)
        self.rdb2 = ResidualDenseBlock(features, growth)
        self.rdb3 = ResidualDenseBlock(features, growth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """The generator of ESRGAN (Wang et al. 2018, section 3.1), 16,697,987 parameters with the defaults.

    Names of layers are those of BasicSR, so that weights published in its format fit.

    Parameters
    ----------
    blocks, features, growth
        RRDBs, channels, and channels that each convolution of a dense block adds.
    scale
        2, 4 or 8: the image grows by nearest neighbour in steps of 2.
    """

    def __init__(self, blocks: int = 23, features: int = 64, growth: int = 32, scale: int = 4) -> None:
        super().__init__()
        check_size(blocks, min(features, growth))
        if set(factors(scale)) != {2}:
            raise SrlabError(f"RRDBNet grows in steps of 2, so its scale is 2, 4 or 8, but is {scale}.")
        self.config = {"blocks": blocks, "features": features, "growth": growth, "scale": scale}
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(*[RRDB(features, growth) for _ in range(blocks)])
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        for step in range(len(factors(scale))):
            self.add_module(f"conv_up{step + 1}", nn.Conv2d(features, features, 3, padding=1))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)
        start_small(self.body)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        shallow = self.conv_first(lr)  # (N, 64, h, w)
        features = shallow + self.conv_body(self.body(shallow))  # (N, 64, h, w)
        for step in range(len(factors(self.config["scale"]))):
            conv = self.get_submodule(f"conv_up{step + 1}")
            features = conv(F.interpolate(features, scale_factor=2, mode="nearest"))  # (N, 64, 2h, 2w), then 4h, 4w
            features = F.leaky_relu(features, 0.2, inplace=True)
        features = self.conv_hr(features)
        return self.conv_last(F.leaky_relu(features, 0.2, inplace=True))  # (N, 3, 4h, 4w)

    @property
    def radius(self) -> int:
        """Receptive radius in LR pixels; 349 with the defaults."""
        blocks, scale = self.config["blocks"], self.config["scale"]
        # An SR pixel sees a neighbour on the LR grid through nearest neighbour already when one finer pixel away.
        grids = [2 ** (step + 1) for step in range(len(factors(scale)))]
        return math.ceil(1 + 15 * blocks + 1 + sum(1 / grid for grid in grids) + 2 / scale)
