"""Resampling: kernels, resizing with MATLAB's conventions, and common mistakes.

Every function works on the device of its input. A scale is the number of HR (or SR) pixels per LR pixel.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import torch

from srlab.data.images import quantize, to_float
from srlab.errors import SrlabError


def box(x: torch.Tensor) -> torch.Tensor:
    """Box kernel, 1 on [-1/2, 1/2): nearest neighbor for upscaling, area average for downscaling."""
    return ((x >= -0.5) & (x < 0.5)).to(x.dtype)


def triangle(x: torch.Tensor) -> torch.Tensor:
    """Triangle kernel of bilinear interpolation."""
    return (1 - x.abs()).clamp(min=0)


def cubic(x: torch.Tensor) -> torch.Tensor:
    """Cubic convolution kernel (Keys 1981, equation 15, with his a = -1/2; OpenCV and plain torch have -3/4)."""
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * (x**3 - 5 * x**2 + 8 * x - 4)
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def lanczos(x: torch.Tensor) -> torch.Tensor:
    """Lanczos kernel with three lobes: a sinc windowed with a wider sinc."""
    window = torch.sinc(x) * torch.sinc(x / 3)
    return torch.where(x.abs() < 3, window, torch.zeros_like(x))


# name -> (kernel, its width in samples)
KERNELS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], int]] = {
    "box": (box, 1),
    "bilinear": (triangle, 2),
    "bicubic": (cubic, 4),
    "lanczos": (lanczos, 6),
}
# Downsamplers in labs and recipes: name -> (kernel, antialias)
DOWNSAMPLERS: dict[str, tuple[str, bool]] = {
    "bicubic": ("bicubic", True),
    "bilinear": ("bilinear", True),
    "lanczos": ("lanczos", True),
    "area": ("box", True),
    "nearest": ("box", False),
    "bicubic-aliased": ("bicubic", False),
    "bilinear-aliased": ("bilinear", False),
}
UPSAMPLERS = ("nearest", "bilinear", "bicubic", "lanczos")


def resize_matrix(size: int, factor: float, kernel: str = "bicubic", antialias: bool = True) -> torch.Tensor:
    """Return the matrix that resizes one axis, ``(ceil(size * factor), size)`` in float64; each row sums to 1.

    A factor of 0.25 downscales by 4. Output sample ``i`` is at ``(i + 1/2) / factor - 1/2`` on the input axis (pixel
    centers are at the integers), and row ``i`` contains the kernel around that position. With `antialias`, downscaling
    stretches the kernel by ``1 / factor``, so that it averages over all samples that an output pixel covers. Without
    it, only the samples next to the center count: aliasing. The border is mirrored, edge sample included, as in MATLAB.
    """
    if kernel not in KERNELS:
        raise SrlabError(f"'{kernel}' is not a resampling kernel. Use one of {', '.join(KERNELS)}.")
    if not factor > 0:
        raise SrlabError(f"The resize factor must be positive, but is {factor}.")
    function, width = KERNELS[kernel]
    stretch = max(1 / factor, 1.0) if antialias else 1.0
    center = (torch.arange(math.ceil(size * factor), dtype=torch.float64) + 0.5) / factor - 0.5
    taps = torch.arange(math.ceil(width * stretch) + 2, dtype=torch.float64)
    samples = torch.floor(center - width * stretch / 2)[:, None] + taps  # (out, taps), some beyond the border
    weights = function((samples - center[:, None]) / stretch)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return torch.zeros(len(center), size, dtype=torch.float64).scatter_add_(1, mirrored(samples.long(), size), weights)


def mirrored(indices: torch.Tensor, size: int | torch.Tensor) -> torch.Tensor:
    """Reflect indices beyond an axis of `size` samples into it; the sample at the border is repeated."""
    indices = indices % (2 * size)
    return torch.where(indices < size, indices, 2 * size - 1 - indices)


def resize(
    image: torch.Tensor, factor: float, kernel: str = "bicubic", antialias: bool = True, levels: bool = False
) -> torch.Tensor:
    """Resize a batch of images; the defaults are MATLAB's ``imresize(im2double(image), factor)``.

    ``out = A_rows @ image @ A_columns.T`` with the matrices of `resize_matrix`. The cubic kernel is from Keys 1981. The
    conventions (stretched kernel, pixel centers, mirrored border) are those of MATLAB, which made the LR images of
    DIV2K and of the benchmark sets. MATLAB rounds 8-bit images twice, after the rows and after the columns. `levels`
    gives the same pixels; rounding once at the end misses a tenth of them by a few gray levels.

    Parameters
    ----------
    image
        ``(..., H, W)``: float in any range, or uint8 levels, which become [0, 1].
    factor
        Output pixels per input pixel along each axis.
    kernel
        Key of `KERNELS`.
    antialias
        Stretch the kernel for downscaling.
    levels
        Round to 8-bit levels after each axis; the image must be in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(..., ceil(H * factor), ceil(W * factor))``. Without `levels` it can be a little outside the input's range,
        because cubic and Lanczos kernels have negative lobes.
    """
    image = to_float(image)
    for dim in (-2, -1):
        bands = _bands(image.shape[dim], factor, kernel, antialias, image.dtype, image.device)
        with torch.autocast(image.device.type, enabled=False):
            if dim == -2:
                image = torch.cat([matrix @ image[..., low:high, :] for low, high, matrix in bands], dim)
            else:
                image = torch.cat([image[..., low:high] @ matrix.T for low, high, matrix in bands], dim)
        if levels:
            image = quantize(image)
    return image


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # a matrix that is cached in inference mode must work with autograd later
def _bands(
    size: int, factor: float, kernel: str, antialias: bool, dtype: torch.dtype, device: torch.device
) -> list[tuple[int, int, torch.Tensor]]:
    # The matrix is zero far from the diagonal. Strips of rows keep only the columns that they use, so the cost grows
    # with the size of an image, not with its square.
    matrix = resize_matrix(size, factor, kernel, antialias)
    bands = []
    for strip in matrix.split(256):
        used = strip.abs().amax(dim=0).nonzero()
        low, high = int(used.min()), int(used.max()) + 1
        bands.append((low, high, strip[:, low:high].to(device, dtype)))
    return bands


def downsample(hr: torch.Tensor, scale: int, method: str = "bicubic") -> torch.Tensor:
    """Downscale a batch by an integer scale as MATLAB does with an 8-bit image, rounded to 8-bit levels.

    Parameters
    ----------
    hr
        ``(N, 3, H, W)`` in [0, 1]; H and W are multiples of `scale`.
    method
        Key of `DOWNSAMPLERS`. Those without antialiasing are wrong for photos; the labs show why.

    Returns
    -------
    torch.Tensor
        ``(N, 3, H / scale, W / scale)`` in [0, 1], on 8-bit levels.
    """
    if method not in DOWNSAMPLERS:
        raise SrlabError(f"'{method}' is not a downsampler. Use one of {', '.join(DOWNSAMPLERS)}.")
    height, width = hr.shape[-2:]
    if height % scale or width % scale:
        raise SrlabError(f"{width}x{height} pixels are not divisible by scale {scale}. Use srlab.mod_crop first.")
    kernel, antialias = DOWNSAMPLERS[method]
    return resize(hr, 1 / scale, kernel, antialias, levels=True)


def upsample(lr: torch.Tensor, scale: int, method: str = "bicubic") -> torch.Tensor:
    """Upscale a batch with interpolation and clamp it to [0, 1]: the baselines of every comparison.

    Parameters
    ----------
    lr
        ``(N, 3, h, w)`` in [0, 1].
    method
        ``"nearest"``, ``"bilinear"``, ``"bicubic"`` or ``"lanczos"``.

    Returns
    -------
    torch.Tensor
        ``(N, 3, h * scale, w * scale)`` in [0, 1].
    """
    if method not in UPSAMPLERS:
        raise SrlabError(f"'{method}' is not an upsampler. Use one of {', '.join(UPSAMPLERS)}.")
    return resize(lr, scale, "box" if method == "nearest" else method).clamp(0, 1)
