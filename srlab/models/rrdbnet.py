"""RRDBNet, the generator of ESRGAN. Comments give shapes for one image of h x w LR pixels at scale 4."""

import math
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from srlab.errors import SrlabError
from srlab.models.layers import factors, start_small


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which uses the outputs of all earlier ones (Wang et al. 2018, figure 4).

    The last one, the local feature fusion, has a 3x3 kernel in ESRGAN and a 1x1 kernel in the paper that introduced
    dense blocks for this task (Zhang et al. 2018). Its output is scaled by `residual_scale` before the skip.

    Parameters
    ----------
    growth
        Channels that each convolution adds.
    fusion
        Kernel side of the last convolution.
    """

    def __init__(self, num_features: int, growth: int, fusion: int = 3, residual_scale: float = 0.2) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.conv1 = nn.Conv2d(num_features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(num_features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(num_features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(num_features + 4 * growth, num_features, fusion, padding=fusion // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, num_features, h, w)`` to the same shape."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2, inplace=True)), dim=1)
        return x + self.residual_scale * self.conv5(seen)


class RRDB(nn.Module):
    """Residual in residual: three dense blocks and a skip around them, both scaled by `residual_scale`."""

    def __init__(self, num_features: int, growth: int, fusion: int = 3, residual_scale: float = 0.2) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.rdb1 = ResidualDenseBlock(num_features, growth, fusion, residual_scale)
        self.rdb2 = ResidualDenseBlock(num_features, growth, fusion, residual_scale)
        self.rdb3 = ResidualDenseBlock(num_features, growth, fusion, residual_scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, num_features, h, w)`` to the same shape."""
        return x + self.residual_scale * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """The generator of ESRGAN (Wang et al. 2018, section 3.1), 16,697,987 parameters with the defaults.

    The layers have the same names as in BasicSR, so that weights published in its format fit.

    Parameters
    ----------
    num_blocks, num_features, growth
        RRDBs, channels, and channels that each convolution of a dense block adds.
    scale
        2, 4 or 8: the network upscales in steps of 2, with nearest neighbor unless `enlarge` is set.
    fusion
        Kernel side of the last convolution of a dense block: 3 or 1. ESRDGAN has 12 blocks of 128 features, with
        18,522,499 or 9,085,315 parameters.
    residual_scale
        Factor on every residual; 0.2 in the paper.
    enlarge
        Upscale with pixel shuffle, and add the output to bilinear interpolation of LR, like MSRResNet; the paper does
        neither. A few minutes of training then give a usable image, because the network need not learn the image itself
        first. After minutes of GAN training you get texture, while nearest neighbor gives outlines around everything.

    Attributes
    ----------
    checkpointing : bool
        Keep only the input of each RRDB for the backward pass and recompute the rest: training takes less memory and
        more time. Off by default; not stored with the weights.
    """

    def __init__(
        self,
        num_blocks: int = 23,
        num_features: int = 64,
        growth: int = 32,
        scale: int = 4,
        fusion: int = 3,
        residual_scale: float = 0.2,
        enlarge: bool = False,
    ) -> None:
        super().__init__()
        if set(factors(scale)) != {2}:
            raise SrlabError(f"RRDBNet upscales in steps of 2. Its scale must be 2, 4 or 8, but is {scale}.")
        if fusion not in (1, 3):
            raise SrlabError(f"RRDBNet's fusion must be 3 or 1, but is {fusion}.")
        self.config: dict[str, Any] = {
            "num_blocks": num_blocks,
            "num_features": num_features,
            "growth": growth,
            "scale": scale,
        }
        self.config |= {"fusion": fusion, "residual_scale": residual_scale, "enlarge": enlarge}
        self.checkpointing = False
        self.conv_first = nn.Conv2d(3, num_features, 3, padding=1)
        self.body = nn.Sequential(*[RRDB(num_features, growth, fusion, residual_scale) for _ in range(num_blocks)])
        self.conv_body = nn.Conv2d(num_features, num_features, 3, padding=1)
        for step in range(len(factors(scale))):
            self.add_module(
                f"conv_up{step + 1}", nn.Conv2d(num_features, num_features * (4 if enlarge else 1), 3, padding=1)
            )
        self.conv_hr = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, 3, 3, padding=1)
        start_small(self.body)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        shallow = self.conv_first(lr)  # (N, 64, h, w)
        features = shallow
        for block in self.body:
            again = self.checkpointing and torch.is_grad_enabled()
            if again:  # no layer is random, and a recorded step cannot read the state of the random numbers
                features = checkpoint(block, features, use_reentrant=False, preserve_rng_state=False)
            else:
                features = block(features)
        features = shallow + self.conv_body(features)  # (N, 64, h, w)
        for step in range(len(factors(self.config["scale"]))):
            conv = self.get_submodule(f"conv_up{step + 1}")
            if self.config["enlarge"]:
                features = F.pixel_shuffle(conv(features), 2)
            else:
                features = conv(F.interpolate(features, scale_factor=2, mode="nearest"))  # (N, 64, 2h, 2w), then 4h, 4w
            features = F.leaky_relu(features, 0.2, inplace=True)
        sr = self.conv_last(F.leaky_relu(self.conv_hr(features), 0.2, inplace=True))  # (N, 3, 4h, 4w)
        if not self.config["enlarge"]:
            return sr
        return sr + F.interpolate(lr, scale_factor=self.config["scale"], mode="bilinear", align_corners=False)

    @property
    def radius(self) -> int:
        """Receptive radius in LR pixels; 349 with the defaults."""
        num_blocks, scale = self.config["num_blocks"], self.config["scale"]
        # Nearest neighbor repeats pixels, so on a finer grid a 3x3 kernel reaches the next LR pixel in one step.
        # Before a pixel shuffle the kernel is on the coarser grid.
        grids = [2 ** (step + (not self.config["enlarge"])) for step in range(len(factors(scale)))]
        per_block = 3 * (4 + self.config["fusion"] // 2)
        return math.ceil(1 + per_block * num_blocks + 1 + sum(1 / grid for grid in grids) + 2 / scale)
