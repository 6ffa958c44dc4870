"""FlowNet: a conditional flow, which draws samples of all SR images that fit an LR image instead of their mean.

Flow matching (Lipman et al. 2022, Liu et al. 2022) trains a velocity. At time 0 the image is noise; at time 1 it is a
*detail*, the difference between HR and bicubic interpolation, divided by its standard deviation.
"""

import math
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.errors import SrlabError
from srlab.models.layers import factors, start_small
from srlab.models.noise import noise_at

EMBEDDING = 64  # numbers that describe the time
STEPS = 10  # of the sampler
LAST = 0.05  # least time in which the velocity arrives, so that it stays finite at t = 1


class FlowBlock(nn.Module):
    """norm, gain and shift from the time, SiLU, conv, SiLU, conv, add.

    The norm is over the channels of each pixel. A group norm over the image would make a tile depend on its size.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.norm = ChannelNorm()
        self.time = nn.Linear(EMBEDDING, 2 * num_features)
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map ``(N, num_features, h, w)`` to the same shape; `time` is ``(N, EMBEDDING)``."""
        gain, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = self.conv1(F.silu(self.norm(x) * (1 + gain) + shift))
        return x + self.conv2(F.silu(inner))


class ChannelNorm(nn.Module):
    """Bring the channels of each pixel to mean 0 and variance 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C, h, w)`` to the same shape."""
        return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2]).permute(0, 3, 1, 2)


class FlowNet(nn.Module):
    """A network for the velocity of a flow, and a sampler that upscales with it.

    It computes on the LR grid: noisy detail is pixel-unshuffled and concatenated with LR. It estimates the clean
    detail, from which the velocity follows (Li and He 2025), so its few features need not carry the noise. 5,111,472
    parameters with the defaults.

    Parameters
    ----------
    scale
        2, 3, 4 or 8.
    detail_std
        Standard deviation of HR minus bicubic on the training photos.
    steps
        Steps of the sampler, which uses Heun's method; each runs the network twice, except the last. With 1 the network
        runs once, for which lab 07 trains it. The attribute can be changed.

    Attributes
    ----------
    seed
        Random seed of the noise, any integer; another seed gives another sample.
    samples
        Number of samples whose mean is the SR image; their seeds are `seed`, ``seed + 1``, and so on.
    """

    takes_origin = True  # see `srlab.models.Generator`

    def __init__(
        self,
        num_blocks: int = 16,
        num_features: int = 128,
        scale: int = 4,
        detail_std: float = 0.1,
        steps: int = STEPS,
    ) -> None:
        super().__init__()
        factors(scale)  # rejects other scales
        if not 0 < detail_std < math.inf:
            raise SrlabError(f"detail_std must be a positive number, but is {detail_std}.")
        shape = {"num_blocks": num_blocks, "num_features": num_features, "scale": scale}
        if steps < 1:
            raise SrlabError(f"steps must be at least 1, but is {steps}.")
        self.config: dict[str, Any] = shape | {"detail_std": detail_std} | ({"steps": steps} if steps != STEPS else {})
        self.steps, self.seed, self.samples = steps, 0, 1
        channels = 3 * scale**2
        self.embed = nn.Sequential(
            nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU()
        )
        self.head = nn.Conv2d(channels + 3, num_features, 3, padding=1)
        self.blocks = nn.ModuleList(FlowBlock(num_features) for _ in range(num_blocks))
        self.norm = ChannelNorm()
        self.tail = nn.Conv2d(num_features, channels, 3, padding=1)
        start_small(self)

    def forward(
        self,
        lr: torch.Tensor,
        x: torch.Tensor | None = None,
        t: torch.Tensor | None = None,
        origin: tuple[int, int] = (0, 0),
    ) -> torch.Tensor:
        """Return the velocity of `x` at time `t`, or without `x` an upscaled LR image.

        Parameters
        ----------
        lr
            ``(N, 3, h, w)`` in [0, 1].
        x
            Noisy detail, ``(N, 3, h * scale, w * scale)``.
        t
            Time of each image, ``(N,)`` from 0 (noise) to 1 (detail).
        origin
            Row and column of the first pixel of `lr` in the image of which it is a tile.

        Returns
        -------
        torch.Tensor
            ``(N, 3, h * scale, w * scale)``; SR is not clamped.
        """
        if x is None and t is None:
            return self.sample(lr, origin)
        if x is None or t is None:
            raise SrlabError("A velocity needs both x and t. Pass neither to draw an SR image.")
        time = self.embed(waves(t))
        features = self.head(torch.cat([F.pixel_unshuffle(x, self.config["scale"]), 4 * (lr - 0.5)], dim=1))
        for block in self.blocks:
            features = block(features, time)
        change = F.pixel_shuffle(self.tail(F.silu(self.norm(features))), self.config["scale"])
        t = t.view(-1, 1, 1, 1)
        detail = t**4 * x + change  # near t = 1, x is nearly the detail
        return (detail - x) / (1 - t).clamp(min=LAST)  # arrives at the detail in the time that is left, or in LAST

    def sample(self, lr: torch.Tensor, origin: tuple[int, int] = (0, 0)) -> torch.Tensor:
        """Draw `samples` SR images, and return their mean."""
        seeds = range(self.seed, self.seed + self.samples)
        detail = sum(self.detail(lr, self.noise(lr, origin, seed)) for seed in seeds) / self.samples
        return bicubic(lr, self.config["scale"]) + detail

    def detail(self, lr: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return what the flow adds to bicubic interpolation, from `noise` of the size of SR, by Heun's method."""
        x = noise
        for step in range(self.steps):
            t = torch.full((len(lr),), step / self.steps, dtype=lr.dtype, device=lr.device)
            velocity = self(lr, x, t)
            if step == self.steps - 1:  # at t = 1 no time is left, so there is no velocity
                x = x + velocity / min(self.steps, 1 / LAST)  # arrives at the detail with any number of steps
            else:
                ahead = self(lr, x + velocity / self.steps, t + 1 / self.steps)
                x = x + (velocity + ahead) / 2 / self.steps
        return self.config["detail_std"] * x

    def noise(self, lr: torch.Tensor, origin: tuple[int, int], seed: int) -> torch.Tensor:
        """Return the noise of the pixels that replace `lr`, which depends only on their position and the seed.

        So an image gets the same noise in tiles as in one piece, and each image of a batch gets the same.
        """
        scale = self.config["scale"]
        rows, columns = (
            first * scale + torch.arange(length * scale, device=lr.device)
            for first, length in zip(origin, lr.shape[-2:], strict=True)
        )
        return noise_at(rows, columns, seed).to(lr).expand(len(lr), -1, -1, -1)

    @property
    def radius(self) -> int:
        """Receptive radius in LR pixels after all steps; 646 with the defaults."""
        return (2 * self.steps - 1) * (2 + 2 * self.config["num_blocks"])


def bicubic(lr: torch.Tensor, scale: int) -> torch.Tensor:
    """Upscale by PyTorch's bicubic interpolation."""
    return F.interpolate(lr, scale_factor=scale, mode="bicubic")


class Bicubic(nn.Module):
    """The same as `bicubic`, by one convolution, which takes less time in a browser than a cubic resize."""

    weight: torch.Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        points = F.pad(torch.eye(25).view(25, 1, 5, 5), (2, 2, 2, 2))  # one in each of the LR pixels around the center
        phases = F.pixel_unshuffle(bicubic(points, scale), scale)[..., 4, 4]  # what the center gets, (25, scale**2)
        self.register_buffer("weight", phases.T.reshape(-1, 1, 5, 5).repeat(3, 1, 1, 1))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Upscale ``(N, 3, h, w)``; the border is repeated, as in `bicubic`."""
        phases = F.conv2d(F.pad(lr, (2, 2, 2, 2), mode="replicate"), self.weight, groups=3)
        return F.pixel_shuffle(phases, self.scale)


class FlowFromNoise(nn.Module):
    """A flow as a function of an LR image and the noise, so that a file of it can draw any answer."""

    def __init__(self, flow: FlowNet) -> None:
        super().__init__()
        self.flow, self.bicubic = flow, Bicubic(flow.config["scale"])

    def forward(self, lr: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the SR image to which the flow leads from `noise`."""
        return self.bicubic(lr) + self.flow.detail(lr, noise)


def waves(t: torch.Tensor) -> torch.Tensor:
    """Describe times ``(N,)`` by sines and cosines of 32 frequencies, ``(N, EMBEDDING)``, as in transformers."""
    frequencies = 100 * 1000 ** -torch.linspace(0, 1, EMBEDDING // 2, dtype=t.dtype, device=t.device)
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
