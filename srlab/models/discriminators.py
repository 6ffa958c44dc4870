"""Discriminators as plain PyTorch modules that return logits; the sigmoid is part of the loss."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm

from srlab.errors import SrlabError

Noise = float | torch.Tensor  # a standard deviation; a tensor has the shape ()


class VGGDiscriminator(nn.Module):
    """The VGG-style discriminator of ESRGAN as in BasicSR; 14,499,401 parameters with the defaults.

    Parameters
    ----------
    num_features
        Channels of the first two convolutions; they double each time the image is halved, up to 8 times as many.
    size
        Side of the images, a multiple of 32, because the last layers are linear.
    """

    def __init__(self, num_features: int = 64, size: int = 128) -> None:
        super().__init__()
        _check_shape(num_features, size, multiple=32)
        self.config = {"num_features": num_features, "size": size}
        widths = [num_features * factor for factor in (1, 2, 4, 8, 8)]
        layers: list[nn.Module] = [nn.Conv2d(3, num_features, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for stage, width in enumerate(widths):
            if stage > 0:
                layers += _conv_bn(widths[stage - 1], width, kernel=3, stride=1)
            layers += _conv_bn(width, width, kernel=4, stride=2)
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(widths[-1] * (size // 32) ** 2, 100)
        self.logit = nn.Linear(100, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, size, size)`` in [0, 1] to logits ``(N, 1)``."""
        features = self.convolutions(image)  # (N, 512, size / 32, size / 32)
        return self.logit(F.leaky_relu(self.hidden(features.flatten(1)), 0.2))


class SRGANDiscriminator(nn.Module):
    """The discriminator of SRGAN (Ledig et al. 2017, figure 4); 23,565,505 parameters with the defaults.

    Parameters
    ----------
    num_features
        Channels of the first convolution; they double each time the image is halved, except the last time.
    size
        Side of the images, a multiple of 16, because the last layers are linear.
    """

    def __init__(self, num_features: int = 64, size: int = 96) -> None:
        super().__init__()
        _check_shape(num_features, size, multiple=16)
        self.config = {"num_features": num_features, "size": size}
        layers: list[nn.Module] = [nn.Conv2d(3, num_features, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inputs = num_features
        for stage, width in enumerate(num_features * factor for factor in (1, 2, 4, 8)):
            if stage > 0:
                layers += _conv_bn(inputs, width, kernel=3, stride=1, bias=True)
            layers += _conv_bn(width, width, kernel=3, stride=2, bias=True)
            inputs = width
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(inputs * (size // 16) ** 2, 1024)
        self.logit = nn.Linear(1024, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, size, size)`` in [0, 1] to logits ``(N, 1)``."""
        features = self.convolutions(image)  # (N, 512, size / 16, size / 16)
        return self.logit(F.leaky_relu(self.hidden(features.flatten(1)), 0.2))


class PatchDiscriminator(nn.Module):
    """A light discriminator with spectral norm (Miyato et al. 2018): one logit per neighborhood, not one per image.

    Many logits per image teach G a lot, so this D is suited to a laptop (Isola et al. 2017, section 3.2.2, call it
    PatchGAN). Spectral norm limits the gain of each layer's kernels to 1, which keeps D from becoming confident too
    soon, and makes batch norm unnecessary. The input also contains the image's fine structure, amplified. Without it, a
    D that trains for seconds would spend most of them on finding out where to look. 203,873 parameters with the
    defaults.

    Parameters
    ----------
    num_features
        Channels of the first convolution; they double each time the image is halved, which is twice.
    """

    def __init__(self, num_features: int = 32) -> None:
        super().__init__()
        self.config = {"num_features": num_features}
        wide, wider = 2 * num_features, 4 * num_features
        self.convolutions = nn.Sequential(
            *(spectral_norm(nn.Conv2d(6, num_features, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(num_features, wide, 4, 2, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(wide, wide, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(wide, wider, 4, 2, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
        )
        self.logit = spectral_norm(nn.Conv2d(wider, 1, 3, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` in [0, 1] to logits ``(N, 1, H / 4, W / 4)``."""
        # With contiguous memory the mean takes a fraction of the time on a CPU.
        return self.logit(self.convolutions(with_fine_structure(image.contiguous())))


class WithNoise(nn.Module):
    """A discriminator that sees each image with fresh Gaussian noise (instance noise, Sønderby et al. 2017).

    The noise makes real and fake overlap, so that D does not become confident at once.

    Attributes
    ----------
    noise
        Standard deviation in units of [0, 1]. The number 0 draws no random numbers. A tensor ``()`` always does,
        because reading it would make the CPU wait for the GPU.
    """

    def __init__(self, discriminator: nn.Module, noise: Noise = 0.0) -> None:
        super().__init__()
        self.discriminator, self.noise = discriminator, noise

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the discriminator's logits for the noisy image ``(N, 3, H, W)``."""
        if isinstance(self.noise, torch.Tensor) or self.noise:
            image = image.contiguous()  # else drawing the noise takes several times as long on a CPU
            image = image + self.noise * torch.randn_like(image)
        return self.discriminator(image)


def with_fine_structure(image: torch.Tensor) -> torch.Tensor:
    """Append to an image its difference from its mean over 5 x 5 pixels, amplified: (N, 3, H, W) -> (N, 6, H, W)."""
    fine = image - F.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
    # Centered and scaled, so that both parts are about as large as the initial weights expect.
    return torch.cat([4 * image - 2, 16 * fine], dim=1)


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Let gradients pass through a network, but compute none for its parameters: for D while G learns from it.

    ``detach`` would cut off G's gradient. Freezing saves the work on D's parameters. It also keeps the images of G's
    step out of the running statistics of D's batch norm, which then count each image once, in D's own step. Spectral
    norm stays active: in training mode each call improves the estimate of a layer's gain, whatever the image.
    """
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    norms = [module for module in network.modules() if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm))]
    counting = [norm for norm in norms if norm.track_running_stats]
    for parameter in learning:
        parameter.requires_grad_(False)
    for norm in counting:
        norm.track_running_stats = False
    try:
        yield network
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for norm in counting:
            norm.track_running_stats = True


def _check_shape(num_features: int, size: int, multiple: int) -> None:
    if num_features < 1 or size < multiple or size % multiple:
        raise SrlabError(
            f"A discriminator needs num_features >= 1 and a size that is a multiple of {multiple}, "
            f"but got {num_features} and {size}."
        )


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int, bias: bool = False) -> list[nn.Module]:
    """Return convolution, batch norm, leaky ReLU. Batch norm removes a bias, but SRGAN's published counts have it."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=bias),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]
