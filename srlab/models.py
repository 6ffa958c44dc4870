"""The networks, as plain modules. Comments give the shapes for one image of h x w LR pixels at scale 4."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.errors import SrlabError


def _factors(scale: int) -> list[int]:
    """Split a scale into the steps of successive pixel shuffles: 4 -> [2, 2]."""
    steps = {2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}
    if scale not in steps:
        raise SrlabError(f"There is no network for scale {scale}; choose one of {', '.join(map(str, steps))}.")
    return steps[scale]


def _check_size(blocks: int, features: int) -> None:
    if blocks < 1 or features < 1:
        raise SrlabError(f"A network needs at least one block and one feature, but got {blocks} and {features}.")


class ResidualBlock(nn.Module):
    """conv, BN, PReLU, conv, BN, add (Ledig et al. 2017, figure 4). Each convolution has a BN of its own."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.BatchNorm2d(features),
            nn.PReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            nn.BatchNorm2d(features),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + self.body(x)


class ShuffledConv2d(nn.Conv2d):
    """Pixel shuffle followed by a convolution, ``conv(pixel_shuffle(x, factor))``, computed in the other order.

    A convolution of the large image with few output channels uses the hardware badly: SRResNet's last one
    makes 3 channels with a 9x9 kernel at full size. Each of the ``factor**2`` pixels of a block can instead be
    an output channel of its own on the small grid, with a kernel that is smaller there, and the shuffle comes
    last. Weights, bias and result are those of the plain order.

    Parameters
    ----------
    in_channels
        Channels after the pixel shuffle; the input has ``in_channels * factor**2``.
    out_channels, kernel_size
        Of the convolution at full size; the kernel side is odd.
    factor
        Of the pixel shuffle.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, factor: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, in_channels * factor**2, h, w)`` to ``(N, out_channels, h * factor, w * factor)``."""
        factor, kernel, border = self.factor, self.kernel_size[0], self.padding[0]
        small_border = -(-border // factor)
        small_kernel = 2 * small_border + 1
        weights = []
        for row in range(factor):
            for column in range(factor):
                # Move the kernel to this pixel of the block, then sort its taps by LR pixel and place within.
                top, left = row + factor * small_border - border, column + factor * small_border - border
                bottom, right = (small_kernel * factor - kernel - side for side in (top, left))
                moved = F.pad(self.weight, (left, right, top, bottom))
                taps = moved.unflatten(3, (small_kernel, factor)).unflatten(2, (small_kernel, factor))
                weights.append(taps.permute(0, 1, 3, 5, 2, 4).flatten(1, 3))  # (out, in * factor**2, k, k)
        weight = torch.stack(weights, dim=1).flatten(0, 1)
        bias = self.bias.repeat_interleave(factor**2)
        return F.pixel_shuffle(F.conv2d(x, weight, bias, padding=small_border), factor)


class SRResNet(nn.Module):
    """SRResNet, the generator of SRGAN (Ledig et al. 2017, section 2.1.1 and figure 4).

    1,549,462 parameters with the defaults (scalar PReLUs, convolutions with biases).

    Parameters
    ----------
    blocks, features
        Residual blocks and channels.
    scale
        2, 3, 4 or 8.
    """

    def __init__(self, blocks: int = 16, features: int = 64, scale: int = 4) -> None:
        super().__init__()
        _check_size(blocks, features)
        self.config = {"blocks": blocks, "features": features, "scale": scale}
        self.head = nn.Sequential(nn.Conv2d(3, features, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*[ResidualBlock(features) for _ in range(blocks)])
        self.fuse = nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features))
        *first, last = _factors(scale)
        self.upsample = nn.Sequential()
        for factor in first:
            self.upsample.append(nn.Conv2d(features, features * factor**2, 3, padding=1))
            self.upsample.append(nn.PixelShuffle(factor))
            self.upsample.append(nn.PReLU())
        self.upsample.append(nn.Conv2d(features, features * last**2, 3, padding=1))
        self.upsample.append(nn.PReLU())
        # The last pixel shuffle is inside the tail, which gives the same numbers in less time.
        self.tail = ShuffledConv2d(features, 3, 9, last)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        shallow = self.head(lr)  # (N, 64, h, w)
        deep = shallow + self.fuse(self.blocks(shallow))  # (N, 64, h, w)
        return self.tail(self.upsample(deep))  # (N, 256, 2h, 2w) -> (N, 3, 4h, 4w)


class ResidualBlockNoBN(nn.Module):
    """conv, ReLU, conv, add: the block of EDSR and MSRResNet."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))


class MSRResNet(nn.Module):
    """SRResNet as modified by BasicSR: no batch norm, and the network adds detail to a bilinear enlargement.

    The small initial weights (x0.1) make the first output nearly the bilinear picture, so training starts from
    a sensible image instead of noise. 1,517,571 parameters with the defaults.

    Parameters
    ----------
    blocks, features
        Residual blocks and channels.
    scale
        2, 3, 4 or 8.
    """

    def __init__(self, blocks: int = 16, features: int = 64, scale: int = 4) -> None:
        super().__init__()
        _check_size(blocks, features)
        self.config = {"blocks": blocks, "features": features, "scale": scale}
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlockNoBN(features) for _ in range(blocks)])
        self.upsample = nn.Sequential()
        for factor in _factors(scale):
            self.upsample.append(nn.Conv2d(features, features * factor**2, 3, padding=1))
            self.upsample.append(nn.PixelShuffle(factor))
            self.upsample.append(nn.LeakyReLU(0.1))
        self.tail = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(features, 3, 3, padding=1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                module.weight.data *= 0.1
                nn.init.zeros_(module.bias)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)`` in [0, 1] to ``(N, 3, h * scale, w * scale)``, not clamped."""
        features = self.blocks(F.leaky_relu(self.head(lr), 0.1))  # (N, 64, h, w)
        detail = self.tail(self.upsample(features))  # (N, 64, 4h, 4w) -> (N, 3, 4h, 4w)
        return detail + F.interpolate(lr, scale_factor=self.config["scale"], mode="bilinear", align_corners=False)


def parameter_count(model: nn.Module) -> int:
    """Number of trainable and frozen parameters; buffers such as BN statistics do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


# What the parameter `size` of the labs stands for. A laptop trains the small one in a minute or two.
SIZES = {
    "tiny": {"blocks": 1, "features": 16},
    "laptop": {"blocks": 4, "features": 32},
    "paper": {"blocks": 16, "features": 64},
}


def pick_size(size: str, device: str | torch.device) -> dict[str, int]:
    """Turn a size into blocks and features; ``"auto"`` is ``"laptop"`` on a CPU and ``"paper"`` on a GPU.

    Raises
    ------
    SrlabError
        The size is unknown.
    """
    if size == "auto":
        size = "laptop" if torch.device(device).type == "cpu" else "paper"
    if size not in SIZES:
        raise SrlabError(f"Unknown size '{size}'; choose auto, {', '.join(SIZES)}.")
    return SIZES[size]
