"""Several photos of one scene from a hand that shakes: the shifts, the camera, and reading a folder of photos."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from skimage.registration import phase_cross_correlation

from srlab.data.images import quantize, read_image
from srlab.errors import SrlabError
from srlab.paths import find_in_course

SIDE = 4  # the HR pixels of a block along each axis, for one LR pixel
LARGEST = 512  # side in pixels of the part of your own photos
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


def move(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Move images by real numbers of pixels; what leaves an image on one side enters it on the other.

    Parameters
    ----------
    images
        ``(N, C, H, W)``, or ``(1, C, H, W)`` for N copies of one image.
    shifts
        ``(N, 2)``, down and to the right.

    Returns
    -------
    torch.Tensor
        ``(N, C, H, W)``.
    """
    height, width = images.shape[-2:]
    down, right = (-2j * math.pi * shifts).view(-1, 2, 1, 1, 1).unbind(1)
    # Two small sets of exponentials, multiplied, take less time than one for each pair of frequencies.
    turns = torch.exp(torch.fft.fftfreq(height)[:, None] * down) * torch.exp(torch.fft.rfftfreq(width) * right)
    return torch.fft.irfft2(torch.fft.rfft2(images) * turns, s=(height, width))


def sensor(image: torch.Tensor) -> torch.Tensor:
    """Return the mean of the middle 2 x 2 pixels of each 4 x 4 block: ``(N, C, H, W)`` to ``(N, C, H / 4, W / 4)``."""
    return F.avg_pool2d(image[..., 1:-1, 1:-1], kernel_size=2, stride=SIDE)


def onto_sensor(image: torch.Tensor) -> torch.Tensor:
    """Put each LR pixel onto the 2 x 2 pixels that `sensor` averages, with 0 around them."""
    place = F.pad(torch.ones(2, 2), (1, 1, 1, 1)).repeat(image.shape[-2:])
    return F.interpolate(image, scale_factor=SIDE) * place


def smoothed(images: torch.Tensor, width: float = 0.12) -> torch.Tensor:
    """Keep the waves below about `width` cycles per pixel, which hardly alias: ``(N, C, H, W)`` to the same shape."""
    down, right = torch.fft.fftfreq(images.shape[-2]), torch.fft.rfftfreq(images.shape[-1])
    kept = torch.exp(-(down[:, None] ** 2 + right**2) / (2 * width**2))
    return torch.fft.irfft2(torch.fft.rfft2(images) * kept, s=images.shape[-2:])


def hand_shifts(generator: torch.Generator) -> torch.Tensor:
    """Draw 16 shifts within 4 pixels, ``(16, 2)``: one in each pixel of a 4 x 4 block, and the first one is 0."""
    cells = torch.cartesian_prod(torch.arange(float(SIDE)), torch.arange(float(SIDE)))
    shifts = cells + torch.rand(cells.shape, generator=generator)
    shifts = shifts[torch.randperm(len(shifts), generator=generator)]
    return shifts - shifts[0]


def take_photos(
    scene: torch.Tensor,
    shifts: torch.Tensor,
    camera: Callable[[torch.Tensor], torch.Tensor],
    noise: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Take a photo of a scene ``(1, 3, H, W)`` for each shift; return 8-bit images ``(N, 3, H / 4, W / 4)``.

    Parameters
    ----------
    camera
        Function from HR to LR.
    noise
        Standard deviation of the noise in gray levels.
    """
    photos = camera(move(scene, shifts))
    return quantize(photos + noise / 255 * torch.randn(photos.shape, generator=generator))


def read_series(folder: str | Path) -> torch.Tensor:
    """Read the photos of a folder in the order of their names, and crop the same part of the scene from each.

    The part is the middle of the first photo, at most `LARGEST` pixels per side. The others are aligned to it by whole
    pixels, so that only fractions of a pixel are left.

    Returns
    -------
    torch.Tensor
        ``(N, 3, h, w)`` with N > 1.
    """
    path = find_in_course(folder)
    files = sorted(file for file in path.glob("*") if file.suffix.lower() in SUFFIXES)
    if len(files) < 2:
        raise SrlabError(f"{path} has {len(files)} photos. A series needs at least two, as PNG or JPEG files.")
    first, parts = read_image(files[0]), []
    sides = [min(LARGEST, side - 2 * (side // 8)) for side in first.shape[-2:]]
    for file in files:
        photo = read_image(file)
        if photo.shape != first.shape:
            raise SrlabError(f"{file.name} in {path} has another size than {files[0].name}. Use uncropped photos.")
        back, *_ = phase_cross_correlation(first.mean(0).numpy(), photo.mean(0).numpy())
        top, left = (
            (whole - side) // 2 - int(step) for whole, side, step in zip(first.shape[-2:], sides, back, strict=True)
        )
        part = photo[:, max(0, top) : top + sides[0], max(0, left) : left + sides[1]]
        if list(part.shape[-2:]) != sides:
            raise SrlabError(f"{file.name} in {path} shows another part of the scene. Take it out of the series.")
        parts.append(part)
    return torch.stack(parts)
