"""Degradations from HR to LR: blur, noise and JPEG, combined with a downsampler into pipelines.

Images are batches ``(N, 3, H, W)``, float in [0, 1]. Every function runs on the device of its input, and draws its
random numbers from the caller's `torch.Generator`.
"""

import io
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from srlab.data.images import quantize, to_float, to_uint8
from srlab.data.resampling import DOWNSAMPLERS, KERNELS, downsample, mirrored
from srlab.errors import SrlabError

# --- Blur, noise, JPEG --------------------------------------------------------------------------------------


def gaussian_kernel(sigma: torch.Tensor, size: int) -> torch.Tensor:
    """Return normalized Gaussian blur kernels ``(N, size, size)`` for sigmas ``(N,)`` in pixels; `size` is odd."""
    axis = torch.arange(size, dtype=torch.float32, device=sigma.device) - size // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    exponent = (x / sigma[:, None, None]) ** 2 + (y / sigma[:, None, None]) ** 2
    # Cut off at three times the largest sigma, so that the result does not depend on the bound that the caller passes.
    # That is |axis| <= ceil(3 sigma), in a form that float32 computes exactly.
    near = axis.abs() - 1 - 2 * sigma.max() < sigma.max()
    kernel = torch.exp(-exponent / 2) * near[:, None] * near
    return kernel / kernel.sum(dim=(1, 2), keepdim=True)


def blur(image: torch.Tensor, sigma: float | torch.Tensor, largest: float | None = None) -> torch.Tensor:
    """Blur each image with a Gaussian, whose sigma may differ between images; borders are mirrored.

    Parameters
    ----------
    image
        ``(N, C, H, W)``, float or uint8.
    sigma
        Standard deviation in pixels, a number or ``(N,)``; 0 leaves the image unchanged.
    largest
        Upper bound of all sigmas, which sets the size of the kernel. If None, it is read from
        `sigma`, for which the CPU has to wait for a GPU.
    """
    image = to_float(image)
    if largest is None:
        largest = float(torch.as_tensor(sigma).max())
    size = 2 * max(1, math.ceil(3 * largest)) + 1
    return convolve(image, gaussian_kernel(_per_image(sigma, image).clamp(min=1e-3), size))


def convolve(image: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Filter each image with its own kernel, or all with the same one; borders are mirrored.

    As in `torch.nn.functional.conv2d`, a kernel is not flipped.

    Parameters
    ----------
    image
        ``(N, C, H, W)``, float or uint8.
    kernels
        ``(N, size, size)``, or ``(size, size)`` for all images; `size` is odd.
    """
    image = to_float(image)
    count, channels, height, width = image.shape
    size = kernels.shape[-1]
    if kernels.shape[-2] != size or size % 2 == 0:
        raise SrlabError(f"A kernel must be square with an odd side, but is {tuple(kernels.shape[-2:])}.")
    rows, columns = (_with_border(length, size // 2, image.device) for length in (height, width))
    padded = image[:, :, rows][:, :, :, columns].reshape(1, count * channels, height + size - 1, width + size - 1)
    weights = kernels.to(image).expand(count, -1, -1).repeat_interleave(channels, 0)[:, None]
    with torch.autocast(image.device.type, enabled=False):
        return F.conv2d(padded, weights, groups=count * channels).view(count, channels, height, width)


def _per_image(value: float | torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):  # the number is written on the device, without a copy from the CPU
        return torch.full((len(image),), value, dtype=torch.float32, device=image.device)
    return value.to(image.device, torch.float32).expand(len(image))


def _with_border(size: int, border: int, device: torch.device) -> torch.Tensor:
    return mirrored(torch.arange(-border, size + border, device=device), size)


def gaussian_noise(image: torch.Tensor, sigma: float | torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Add white Gaussian noise, without clamping; `sigma` is in [0, 1] units, one number or one per image."""
    image = to_float(image)
    noise = torch.randn(image.shape, generator=generator, device=generator.device).to(image)
    return image + noise * _per_image(sigma, image).view(-1, 1, 1, 1)


def jpeg(image: torch.Tensor, quality: int | torch.Tensor) -> torch.Tensor:
    """Compress and decompress each image as JPEG (libjpeg, 4:2:0 chroma) at a quality of 1 to 100.

    The result is on 8-bit levels and has no gradient. This is the only stage that runs on the CPU.
    """
    qualities = torch.as_tensor(quality).expand(len(image)).tolist()
    if not all(1 <= q <= 100 for q in qualities):
        raise SrlabError(f"JPEG quality must be from 1 to 100, but is {quality}.")
    pixels = to_uint8(image.detach()).permute(0, 2, 3, 1).cpu().numpy()
    decoded = []
    for picture, q in zip(pixels, qualities, strict=True):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=int(q), subsampling="4:2:0")
        decoded.append(torch.from_numpy(np.array(Image.open(file))))
    return to_float(torch.stack(decoded).permute(0, 3, 1, 2)).to(to_float(image))


# --- Pipelines ----------------------------------------------------------------------------------------------

Range = tuple[float, float]  # lowest and highest strength
# (hr, scale, generator) -> lr. `Degradation` has the usual stages; any function with these arguments is one as well. It
# can have an attribute ``reach``, a function like `Degradation.reach`, so that a sampler gives its patches a margin.
Degrade = Callable[[torch.Tensor, int, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Degradation:
    """A pipeline from HR to LR: blur -> downsample -> noise -> JPEG. All stages but downsampling are optional.

    A strength is a number, or a pair ``(low, high)`` from which each image draws its own; a number is stored as a pair
    of equal numbers. The default is the degradation of the papers, bicubic only. Blind SR uses all four stages.

    Attributes
    ----------
    method
        Downsampler, a key of `DOWNSAMPLERS`.
    blur
        Sigma of the Gaussian blur in HR pixels; 0 for none.
    noise
        Sigma of the Gaussian noise on LR, in [0, 1] units; 0 for none.
    jpeg
        JPEG quality of LR, 1 to 100; 0 for none.

    Examples
    --------
    >>> blind = Degradation(blur=(0.2, 3), noise=(0, 0.05), jpeg=(60, 95))
    >>> lr = blind(hr, scale=4, generator=torch.Generator().manual_seed(0))
    """

    method: str = "bicubic"
    blur: float | tuple[float, float] = 0.0
    noise: float | tuple[float, float] = 0.0
    jpeg: float | tuple[float, float] = 0.0

    def __post_init__(self) -> None:
        if self.method not in DOWNSAMPLERS:
            raise SrlabError(f"'{self.method}' is not a downsampler. Use one of {', '.join(DOWNSAMPLERS)}.")
        for name in (field.name for field in fields(self) if field.name != "method"):
            given = getattr(self, name)  # in YAML and JSON a pair is a list
            pair = tuple(given) if isinstance(given, list | tuple) else (given, given)
            numbers = len(pair) == 2 and all(isinstance(end, int | float) for end in pair)
            if not numbers or not 0 <= pair[0] <= pair[1] < math.inf:
                raise SrlabError(f"Degradation strength {name}={given} must be 0 or more, or a pair [lowest, highest].")
            object.__setattr__(self, name, (float(pair[0]), float(pair[1])))
        *_, (lowest, highest) = self._pairs()
        if highest and not 1 <= lowest <= highest <= 100:
            given = self.describe()["jpeg"]
            raise SrlabError(f"Degradation strength jpeg={given} must be from 1 to 100, or 0 for none.")

    def _pairs(self) -> tuple[Range, Range, Range]:
        """Return the strengths of blur, noise and JPEG, each of which is a pair since `__post_init__`."""
        return self.blur, self.noise, self.jpeg  # type: ignore[return-value]

    def describe(self) -> dict[str, Any]:
        """Return the attributes by name for a run's manifest: a number for equal ends, else a list as in JSON."""
        pairs = asdict(self)
        method = pairs.pop("method")
        strengths = {name: low if low == high else [low, high] for name, (low, high) in pairs.items()}
        return {"method": method} | strengths

    def reach(self, scale: int) -> int:
        """Return how many LR pixels around a pixel affect its value, without noise and JPEG."""
        width = KERNELS[DOWNSAMPLERS[self.method][0]][1]
        (_, widest), *_ = self._pairs()
        return math.ceil(width / 2) + math.ceil(3 * widest / scale)

    def __call__(self, hr: torch.Tensor, scale: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Degrade ``(N, 3, H, W)`` in [0, 1] to ``(N, 3, H / scale, W / scale)`` in [0, 1], on 8-bit levels."""
        blurs, noise, qualities = self._pairs()
        noisy = noise[1] > 0
        drawn = any(low != high for low, high in (blurs, qualities))
        if (noisy or drawn) and generator is None:
            raise SrlabError("This degradation is random. Pass a torch.Generator to make it reproducible.")
        count = len(hr)
        if blurs[1]:
            hr = blur(hr, _draw(blurs, count, generator), largest=blurs[1])
        lr = downsample(hr, scale, self.method)
        if noisy and generator is not None:
            lr = gaussian_noise(lr, _draw(noise, count, generator), generator)
        if qualities[1]:
            return jpeg(lr, torch.as_tensor(_draw(qualities, count, generator)).round())
        return quantize(lr) if noisy else lr


def _draw(strength: Range, count: int, generator: torch.Generator | None) -> float | torch.Tensor:
    low, high = strength
    if low == high:
        return low
    assert generator is not None  # `Degradation` has checked it
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)
