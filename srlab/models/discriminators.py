"""The discriminators, as plain modules: they answer with logits, so the sigmoid belongs to the loss.

All take instance noise: with it real and fake overlap, so that D cannot become sure at once (Sønderby et al. 2017).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm

from srlab.base.errors import SrlabError


class SRGANDiscriminator(nn.Module):
    """The discriminator of SRGAN (Ledig et al. 2017, figure 4); 23,565,505 parameters with the defaults.

    Parameters
    ----------
    features
        Channels of the first convolution; they double with each halving of the image but the last.
    size
        Side of the images it takes, a multiple of 16: the last layers are linear.
    """

    # For each halving, how many times `features` it has; and the kernel that halves, biases before batch norm, and the
    # width of the first linear layer.
    WIDTHS, KERNEL, BIAS, HIDDEN = (1, 2, 4, 8), 3, True, 1024

    def __init__(self, features: int = 64, size: int = 96) -> None:
        super().__init__()
        multiple = 2 ** len(self.WIDTHS)
        if features < 1 or size < multiple or size % multiple:
            raise SrlabError(
                f"A discriminator needs features >= 1 and a size that is a multiple of {multiple}, "
                f"not {features} and {size}."
            )
        self.config = {"features": features, "size": size}
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inputs = features
        for stage, width in enumerate(features * factor for factor in self.WIDTHS):
            if stage > 0:
                layers += _conv_bn(inputs, width, kernel=3, stride=1, bias=self.BIAS)
            layers += _conv_bn(width, width, kernel=self.KERNEL, stride=2, bias=self.BIAS)
            inputs = width
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(inputs * (size // multiple) ** 2, self.HIDDEN)
        self.logit = nn.Linear(self.HIDDEN, 1)

    def forward(self, image: torch.Tensor, noise: float = 0.0) -> torch.Tensor:
        """Map ``(N, 3, size, size)`` in [0, 1], with noise of so many units on it, to logits ``(N, 1)``."""
        features = self.convolutions(noisy(image, noise))  # (N, 512, size / 16, size / 16)
        return self.logit(F.leaky_relu(self.hidden(features.flatten(1)), 0.2))


class VGGDiscriminator(SRGANDiscriminator):
    """The VGG-style discriminator of ESRGAN as BasicSR has it; 14,499,401 parameters with the defaults.

    Parameters
    ----------
    features
        Channels of the first two convolutions; they double at each halving of the image, up to eightfold.
    size
        Side of the images it takes, a multiple of 32: the last layers are linear.
    """

    WIDTHS, KERNEL, BIAS, HIDDEN = (1, 2, 4, 8, 8), 4, False, 100

    def __init__(self, features: int = 64, size: int = 128) -> None:
        super().__init__(features, size)


class PatchDiscriminator(nn.Module):
    """A light discriminator with spectral norm (Miyato et al. 2018): a logit for each neighbourhood, not one for all.

    Many logits an image are many lessons for G, so it learns on a laptop (Isola et al. 2017, section 3.2.2, call it
    PatchGAN). Spectral norm holds the gain of each layer's table of kernels at 1, which keeps D from becoming sure too
    soon, and it needs no batch norm. Beside the image it gets the image's fine part, amplified: a D that has only
    seconds to learn would spend most of them on finding out where to look. 203,873 parameters with the defaults.

    Parameters
    ----------
    features
        Channels of the first convolution; they double with each of the two halvings.
    """

    def __init__(self, features: int = 32) -> None:
        super().__init__()
        self.config = {"features": features}
        wide, wider = 2 * features, 4 * features
        self.convolutions = nn.Sequential(
            *(spectral_norm(nn.Conv2d(6, features, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(features, wide, 4, 2, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(wide, wide, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
            *(spectral_norm(nn.Conv2d(wide, wider, 4, 2, padding=1)), nn.LeakyReLU(0.2, inplace=True)),
        )
        self.logit = spectral_norm(nn.Conv2d(wider, 1, 3, padding=1))

    def forward(self, image: torch.Tensor, noise: float = 0.0) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` in [0, 1], with noise of so many units on it, to logits ``(N, 1, H / 4, W / 4)``."""
        # In plain order both drawing noise and the mean take a fraction of the time on a CPU.
        image = noisy(image.contiguous(), noise)
        fine = image - F.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
        # Centred and scaled, so that both parts are about as large as the weights of a fresh layer expect.
        return self.logit(self.convolutions(torch.cat([4 * image - 2, 16 * fine], dim=1)))


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Let gradients pass through a network without any in its own parameters: for D, while G learns from it.

    ``detach`` would cut the way to G; this spares the work on D's own parameters, and keeps what it sees here out of
    the running statistics of its batch norm, which count each picture once, in D's own half. Spectral norm goes on: in
    training it estimates a layer's gain a little better with each call, whatever the picture.
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


def noisy(image: torch.Tensor, noise: float) -> torch.Tensor:
    """Add instance noise of this standard deviation, in units of [0, 1]; without it no number is drawn."""
    return image + noise * torch.randn_like(image) if noise else image


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int, bias: bool) -> list[nn.Module]:
    """Convolution, batch norm, leaky ReLU. Batch norm removes a bias, but the published counts of SRGAN have one."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=bias),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]
