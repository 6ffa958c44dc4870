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
        _check_shape(features, size, multiple=32)
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
        _check_side(image, self.config["size"])
        features = self.convolutions(image)  # (N, 512, size / 32, size / 32)
        return self.logit(F.leaky_relu(self.hidden(features.flatten(1)), 0.2))


class SRGANDiscriminator(nn.Module):
    """The discriminator of SRGAN (Ledig et al. 2017, figure 4); 23,565,505 parameters with the defaults.

    Parameters
    ----------
    features
        Channels of the first convolution; they double with each halving of the image but the last.
    size
        Side of the images it judges, a multiple of 16: the last layers are linear.
    """

    def __init__(self, features: int = 64, size: int = 96) -> None:
        super().__init__()
        _check_shape(features, size, multiple=16)
        self.config = {"features": features, "size": size}
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inputs = features
        for stage, width in enumerate(features * factor for factor in (1, 2, 4, 8)):
            if stage > 0:
                layers += _conv_bn(inputs, width, kernel=3, stride=1, bias=True)
            layers += _conv_bn(width, width, kernel=3, stride=2, bias=True)
            inputs = width
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(inputs * (size // 16) ** 2, 1024)
        self.logit = nn.Linear(1024, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Judge ``(N, 3, size, size)``: a logit ``(N, 1)`` each, high for what looks like a photo."""
        _check_side(image, self.config["size"])
        features = self.convolutions(image)  # (N, 512, size / 16, size / 16)
        return self.logit(F.leaky_relu(self.hidden(features.flatten(1)), 0.2))


def _check_shape(features: int, size: int, multiple: int) -> None:
    if features < 1 or size < multiple or size % multiple:
        raise SrlabError(
            f"A discriminator needs features >= 1 and a size that is a multiple of {multiple}, "
            f"not {features} and {size}."
        )


def _check_side(image: torch.Tensor, size: int) -> None:
    if image.shape[-2:] != (size, size):
        raise SrlabError(f"This discriminator judges {size}x{size} images, but got {tuple(image.shape)}.")


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int, bias: bool = False) -> list[nn.Module]:
    """Convolution, batch norm, leaky ReLU. Batch norm removes a bias, but the published counts of SRGAN have one."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=bias),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]
