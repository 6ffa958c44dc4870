"""Real-ESRGAN's compact network, small enough for video: 3x3 convolutions with PReLU, then one pixel shuffle.

It is by Xintao Wang, 2022, under BSD-3-Clause, trained for animation. Its weights are in the same package as those of
Real-ESRGAN x4plus (`srlab.models.realesrgan`); the file that the authors released also works.
"""

from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from srlab.models.realesrgan import find_weights_file, load_published

NAME = "Real-ESRGAN's compact network"
FILE, SHA256 = "REALESRGAN_ANIMAVIDEOV3_UP4X.bin", "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"
AUTHORS_FILE = "realesr-animevideov3.pth"


class CompactNet(nn.Module):
    """A stack of convolutions and PReLUs that draws the correction of an LR image with enlarged pixels.

    Everything but the last step is computed at LR's size. Layers have the names of the authors' files.

    Parameters
    ----------
    num_blocks
        Convolutions from features to features, each followed by a PReLU with one slope per channel.
    num_features
        Channels.
    scale
        HR pixels per LR pixel.
    """

    def __init__(self, num_blocks: int = 16, num_features: int = 64, scale: int = 4) -> None:
        super().__init__()
        self.config = {"num_blocks": num_blocks, "num_features": num_features, "scale": scale}
        self.radius = num_blocks + 2
        channels = [3, *[num_features] * (num_blocks + 1)]
        self.body = nn.ModuleList()
        for before, after in pairwise(channels):
            self.body += [nn.Conv2d(before, after, 3, padding=1), nn.PReLU(after)]
        self.body.append(nn.Conv2d(num_features, 3 * scale**2, 3, padding=1))
        self.upsampler = nn.PixelShuffle(scale)
        self.enlarge = nn.Upsample(scale_factor=scale, mode="nearest")

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``."""
        features = lr
        for layer in self.body:
            features = layer(features)
        return self.upsampler(features) + self.enlarge(lr)


def find_compact() -> Path | None:
    """Return the weights file of the compact network, from its package or the authors' in the `data_home`, or None."""
    return find_weights_file(FILE, AUTHORS_FILE)


def load_compact() -> CompactNet:
    """Load the compact network for x4, in eval mode on the CPU, without drawing random numbers."""
    return load_published(find_compact(), CompactNet, SHA256, NAME, AUTHORS_FILE)
