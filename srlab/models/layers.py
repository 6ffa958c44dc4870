"""Layers and checks shared by several generators."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.errors import SrlabError


def factors(scale: int) -> list[int]:
    """Return the factors of successive pixel shuffles for a scale: 4 -> [2, 2]."""
    steps = {2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}
    if scale not in steps:
        raise SrlabError(f"No network supports scale {scale}. Use one of {', '.join(map(str, steps))}.")
    return steps[scale]


def start_small(network: nn.Module) -> None:
    """Initialize all convolutions as in He et al. (2015), times 0.1, so that residual branches start small."""
    for module in network.modules():
        # Not on the meta device (`srlab.models.loading`), where drawing numbers would load torch's compiler.
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight)
            module.weight.data *= 0.1
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def radius_of_upsampling(scale: int) -> float:
    """Return how many LR pixels the 3x3 convolutions before each pixel shuffle reach; each is on a finer grid."""
    reach, grid = 0.0, 1
    for factor in factors(scale):
        reach, grid = reach + 1 / grid, grid * factor
    return reach


class InPlacePReLU(nn.PReLU):
    """PReLU with one slope for all channels that overwrites its input if no gradient is needed.

    The features before SRResNet's last convolution are the largest; a second copy would double the memory of upscaling.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map any shape to the same shape."""
        if torch.is_grad_enabled() or x.is_cuda:  # on a GPU, reading the slope would wait for all work before it
            return super().forward(x)
        return F.leaky_relu_(x, self.weight.item())


class ShuffledConv2d(nn.Conv2d):
    """Pixel shuffle followed by a convolution, ``conv(pixel_shuffle(x, factor))``, computed in the other order.

    A convolution at full size with few output channels uses the hardware badly: SRResNet's last one makes 3 channels
    with a 9x9 kernel. Here each of the ``factor**2`` pixels of a block is an output channel on the small grid, with a
    smaller kernel, and the shuffle comes last. Weights, bias and result are those of the plain order.

    Parameters
    ----------
    in_channels
        Channels after the pixel shuffle; the input has ``in_channels * factor**2``.
    kernel_size
        Odd kernel side of the convolution at full size.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, factor: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, in_channels * factor**2, h, w)`` to ``(N, out_channels, h * factor, w * factor)``."""
        factor, kernel = self.factor, self.kernel_size[0]
        border = kernel // 2
        small_border = -(-border // factor)
        small_kernel = 2 * small_border + 1
        weights = []
        for row in range(factor):
            for column in range(factor):
                # Move the kernel to this pixel of the block, then sort its taps by LR pixel and position within it.
                top, left = row + factor * small_border - border, column + factor * small_border - border
                bottom, right = (small_kernel * factor - kernel - side for side in (top, left))
                moved = F.pad(self.weight, (left, right, top, bottom))
                taps = moved.unflatten(3, (small_kernel, factor)).unflatten(2, (small_kernel, factor))
                weights.append(taps.permute(0, 1, 3, 5, 2, 4).flatten(1, 3))  # (out, in * factor**2, k, k)
        weight = torch.stack(weights, dim=1).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(factor**2)
        return F.pixel_shuffle(F.conv2d(x, weight, bias, padding=small_border), factor)
