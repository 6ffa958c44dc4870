"""The discriminators, as plain modules: they answer with a logit, so the sigmoid belongs to the loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.errors import SrlabError


class VGGDiscriminator(nn.Module):
    """The VGG-style discriminator of ESRGAN as BasicSR has it; 14,499,401 parameters with the defaults.

    Parameters
    ----------
    features
        Channels of the first two convolutions; they double at each halving of the image, up to eightfold.
    size
        Side of the images it judges, a multiple of 32: the last layers are linear.
    """

    def __init__(self, features: int = 64, size: int = 128) -> None:
        super().__init__()
        if features < 1 or size < 32 or size % 32:
            raise SrlabError(
                f"A discriminator needs features >= 1 and a size that is a multiple of 32, not {features} and {size}."
            )
        self.config = {"features": features, "size": size}
        widths = [features * factor for factor in (1, 2, 4, 8, 8)]
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for stage, width in enumerate(widths):
            if stage > 0:
                layers += _conv_bn(widths[stage - 1], width, kernel=3, stride=1)
            layers += _conv_bn(width, width, kernel=4, stride=2)
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(widths[-1] * (size // 32) ** 2, 100)
        self.logit = nn.Linear(100, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Judge ``(N, 3, size, size)``: a logit ``(N, 1)`` each, high for what looks like a photo."""
        size = self.config["size"]
        if image.shape[-2:] != (size, size):
            raise SrlabError(f"This discriminator judges {size}x{size} images, but got {tuple(image.shape)}.")
        features = self.convolutions(image)  # (N, 512, size / 32, size / 32)
        return self.logit(F.leaky_relu(self.hidden(features.flatten(1)), 0.2))


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    """Convolution (without a bias, which batch norm would remove), batch norm, leaky ReLU."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]
