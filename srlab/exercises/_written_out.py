"""References of labs 00 and 01 that srlab or torch has as well, as a student writes them; checks compare the two."""

import torch
import torch.nn as nn


def luma(rgb: torch.Tensor) -> torch.Tensor:
    """BT.601 luma in the studio range; `srlab.luma` does the same.

    Parameters
    ----------
    rgb
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(N, 1, H, W)``, in [16/255, 235/255].
    """
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    return ((rgb * weights).sum(1, keepdim=True) + 16) / 255


def cubic(x: torch.Tensor) -> torch.Tensor:
    """Keys' cubic kernel with a = -1/2; `srlab.data.resampling.cubic` does the same for any a.

    Parameters
    ----------
    x
        Distances in pixels, of any shape.

    Returns
    -------
    torch.Tensor
        Weights, in the shape of `x`.
    """
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0))


class ResidualBlock(nn.Module):
    """conv, BN, PReLU, conv, BN, add (Ledig et al. 2017, figure 4); `srlab.models.ResidualBlock` does the same."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(features)
        self.act = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        inner = self.act(self.norm1(self.conv1(x)))
        return x + self.norm2(self.conv2(inner))


def pixel_shuffle(x: torch.Tensor, scale: int) -> torch.Tensor:
    """Lay groups of channels out as blocks of pixels; `torch.nn.functional.pixel_shuffle` does the same.

    Parameters
    ----------
    x
        ``(N, C * scale**2, h, w)``.
    scale
        Side of a block.

    Returns
    -------
    torch.Tensor
        ``(N, C, h * scale, w * scale)``.
    """
    count, channels, height, width = x.shape
    x = x.reshape(count, channels // scale**2, scale, scale, height, width)
    x = x.permute(0, 1, 4, 2, 5, 3)  # (N, C, h, row in the block, w, column in the block)
    return x.reshape(count, channels // scale**2, height * scale, width * scale)
