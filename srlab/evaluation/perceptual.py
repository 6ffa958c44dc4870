"""Metrics for what PSNR ignores: sharpness, the location of texture, color, checkerboard artifacts, and LPIPS.

The metrics use SR and HR (`checkerboard` only SR) as ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1], with C = 3 for
RGB and 1 for gray. They return one float64 per image, ``(N,)``, and use the whole image in color, rounded to 8-bit
levels. They raise `TooSmall` for images smaller than their window. No single metric proves that an image is good: white
noise raises the gradient just like texture, so read them together with PSNR.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from srlab.data.images import full_range, luma
from srlab.errors import SrlabError
from srlab.evaluation.metrics import WHOLE_RGB, TooSmall, prepared, prepared_image
from srlab.models import backbones
from srlab.tensor_files import read_safetensors

BLOCK = 16  # side of a block of the energy map in pixels
CELLS = 8  # LR pixels per side of a window of `checkerboard`
LPIPS_SIDE = 31  # pixels; below it nothing is left after AlexNet's second pooling


def gradient_ratio(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the mean gradient magnitude of SR's luma relative to HR's: 1 is as sharp as HR, less is blurry.

    The gradient is the difference from the right and the lower neighbor. Noise counts as sharpness: see `energy_error`.
    The ratio is 1 if both images are flat and infinite if only HR is.
    """
    sr, hr = _planes(sr, hr, 2, "a gradient")
    return _ratio(_gradient(sr), _gradient(hr))


def energy_error(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the error of the local energy map: whether fine structure is where HR has it, and only there.

    For the energy map, the 5x5 mean is subtracted from the luma; the map is the root mean square of the rest in each
    block of 16x16 pixels. The error is the mean absolute difference of the two maps over the mean of HR's map: 0 for
    equal images, 1 for SR without any structure, infinite if only SR has structure. Incomplete blocks at the right and
    bottom are ignored.

    Compare only networks of one family, because the error has blind spots:

    - It ignores phase: invented texture of the right strength costs nothing, while PSNR penalizes it. White noise
      lowers the error too, but much less than texture in the right place.
    - It ignores the kind of structure: the stair steps of nearest-neighbor interpolation are on the edges, so they
      score far better than bicubic (.35 against .68 on Set5).
    - If the structure is the same everywhere, as in gravel, its location does not matter: even mirrored HR scores
      better than bicubic x4.
    """
    sr, hr = (_energy(plane) for plane in _planes(sr, hr, BLOCK, "the energy map"))
    return _ratio((sr - hr).abs().mean(dim=(1, 2, 3)), hr.mean(dim=(1, 2, 3)), both_zero=0.0)


def color_shift(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the distance between the mean chroma of SR and of HR, in 8-bit levels: the color cast of the whole image.

    ``sqrt(dCb^2 + dCr^2)`` with BT.601 chroma (112 levels for a pure blue or red); 0 for gray images.
    """
    sr, hr = (chroma(image).mean(dim=(2, 3)) for image in prepared(sr, hr, WHOLE_RGB))
    return (sr - hr).norm(dim=1)


def chroma(image: torch.Tensor) -> torch.Tensor:
    """Return BT.601 Cb and Cr around 0, ``(N, 2, H, W)`` in 8-bit levels; exactly 0 for gray."""
    red, green, blue = image.double().expand(-1, 3, -1, -1).unbind(dim=1)
    cb = 37.797 * (blue - red) + 74.203 * (blue - green)
    cr = 93.786 * (red - green) + 18.214 * (red - blue)
    return torch.stack([cb, cr], dim=1)


def checkerboard(sr: torch.Tensor, scale: int = 4) -> torch.Tensor:
    """Compute the strength of a pattern on the grid of LR pixels: the checkerboard artifact (Odena et al. 2016).

    A pattern that repeats in every cell of scale x scale pixels has only frequencies that are multiples of 1 / scale,
    with the same phase everywhere. A photo also has power at these frequencies, but its phase varies from place to
    place. So this multiplies the spectra of windows of 8 x 8 cells of the luma (Hann, half overlapping) with those a
    knight's move away: common components remain, and the rest cancels. Windows along a row, a column or a diagonal
    would share an edge, which a knight's move avoids. Pairs with more power at other frequencies get less weight.

    It needs no HR, but at least two windows per side. A pattern may slowly change its sign or strength; one that
    changes from window to window mostly cancels, such as the stair steps of nearest-neighbor interpolation, which
    follow each slope. Regular structure in HR (cloth, a screen) counts if it has the period of the grid.

    Returns
    -------
    torch.Tensor
        ``(N,)``, root mean square of the pattern in 8-bit levels (accurate to about .1), float64; below .3 for photos
        without artifacts at scale 4, and .45 at scale 8, which leaves few windows.
    """
    if scale < 2:
        raise SrlabError(f"A checkerboard needs a scale of 2 or more, but the scale is {scale}.")
    side = CELLS * scale
    image = prepared_image(sr).double()
    _refuse_small(image, 2 * side, "the checkerboard")
    spectra = _spectra(255 * (full_range(luma(image)) if image.shape[1] == 3 else image), side)
    grid = spectra[..., ::CELLS, ::CELLS]
    # Weights come from the frequencies between those of the grid, where the pattern has no power.
    near = [spectra.roll(step, axis).abs().square() for axis in (-2, -1) for step in (-CELLS // 2, CELLS // 2)]
    weight = (
        (near[0] + near[1] + near[2] + near[3])[..., ::CELLS, ::CELLS] / 4 + 0.1
    ).reciprocal()  # below .3 levels all get the same weight
    shared = total = torch.zeros((), dtype=image.dtype, device=image.device)
    for down, right in ((2, 1), (2, -1), (1, 2), (1, -2)):  # in half windows; one of the two steps is a whole window
        there = [x[:, down:, max(right, 0) : min(right, 0) or None] for x in (grid, weight)]
        here = [x[:, :-down, max(-right, 0) : min(-right, 0) or None] for x in (grid, weight)]
        both = here[1] * there[1]
        shared = shared + (both * (here[0] * there[0].conj()).real).sum(dim=(1, 2))
        total = total + both.sum(dim=(1, 2))
    power = (shared / total).sum(dim=(1, 2)) - (shared / total)[:, 0, 0]  # without the mean, which is not a pattern
    return power.clamp(min=0).sqrt()


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity (Zhang 2018), version 0.1: AlexNet's features and a head per layer.

    Its weights are set by `load_lpips`. It has no layer that behaves differently in training mode.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import alexnet  # importing torchvision costs a second

        with torch.device("meta"):  # costs neither time nor memory, and the classifier is large
            self.features = alexnet(weights=None).features[:12]
        self.features.to_empty(device="cpu")
        self.heads = nn.ParameterList()
        mean, std = ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])  # of ImageNet's photos in [-1, 1]
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        """Return the distance of images ``(N, 3, H, W)`` in [0, 1]: ``(N,)``."""
        pairs = zip(self._described(sr), self._described(hr), self.heads, strict=True)
        distances = [F.conv2d((x - y) ** 2, head[None]).mean(dim=(1, 2, 3)) for x, y, head in pairs]
        return sum(distances, torch.zeros_like(distances[0]))

    def _described(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps after each activation, with the features of each pixel scaled to length 1."""
        maps, x = [], (2 * image - 1 - self.mean) / self.std
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                maps.append(x / (1e-8 + (x**2).sum(dim=1, keepdim=True)).sqrt())
        return maps


def load_lpips(weights: str | Path = "auto") -> LPIPS | None:
    """Load the network of `lpips`: AlexNet trained on ImageNet, and heads trained on human ratings.

    The heads are bundled. LPIPS with random features would be another metric under a known name. So if ``"auto"`` finds
    no AlexNet weights, this prints a message and returns None.

    Parameters
    ----------
    weights
        ``"auto"`` uses torchvision's AlexNet from torch's cache and never downloads; ``"imagenet"`` downloads it (233
        MiB); anything else is the path of a file.
    """
    path = backbones.find_weights("alexnet", weights)
    if path is None:
        print(
            "LPIPS is left out: AlexNet's ImageNet weights not found. To download them, use 'imagenet' instead of "
            "'auto'."
        )
        return None
    network = LPIPS()
    backbones.fill(network, backbones.load_weights(path), path)
    heads, _ = read_safetensors(backbones.LPIPS_HEADS)
    network.heads.extend(heads[name] for name in sorted(heads))
    return network.requires_grad_(False)


def lpips(sr: torch.Tensor, hr: torch.Tensor, network: LPIPS) -> torch.Tensor:
    """Compute the learned perceptual distance per image (Zhang 2018, AlexNet, version 0.1); 0 for equal images.

    `network` is from `load_lpips`. Images must have at least 31 pixels per side.
    """
    sr, hr = prepared(sr, hr, WHOLE_RGB)
    _refuse_small(sr, LPIPS_SIDE, "LPIPS")
    device = next(network.parameters()).device
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        distance = network(*(x.expand(-1, 3, -1, -1).to(device).float() for x in (sr, hr)))
    return distance.double().to(sr.device)


def _planes(sr: torch.Tensor, hr: torch.Tensor, side: int, what: str) -> list[torch.Tensor]:
    """Return luma planes ``(N, 1, H, W)`` in float64; a gray image is used as it is."""
    pair = prepared(sr, hr, WHOLE_RGB)
    _refuse_small(pair[0], side, what)
    return [luma(x.double()) if x.shape[1] == 3 else x.double() for x in pair]


def _refuse_small(image: torch.Tensor, side: int, what: str) -> None:
    height, width = image.shape[-2:]
    if min(height, width) < side:
        raise TooSmall(f"An image of {width}x{height} pixels is too small for {what} (minimum: {side}x{side}).")


def _spectra(plane: torch.Tensor, side: int) -> torch.Tensor:
    """Return the Fourier transforms of half overlapping windows, ``(N, rows, columns, side, side)``."""
    hann = torch.hann_window(side, dtype=plane.dtype, device=plane.device)
    hann = hann[:, None] * hann
    plane = plane - plane[..., :1, :1]  # makes a flat plane exactly 0
    windows = plane[:, 0].unfold(1, side, side // 2).unfold(2, side, side // 2)
    mean = (windows * hann).sum(dim=(-2, -1), keepdim=True) / hann.sum()
    return torch.fft.fft2((windows - mean) * hann) / hann.sum()


def _gradient(plane: torch.Tensor) -> torch.Tensor:
    corner = plane[..., :-1, :-1]
    right, down = plane[..., :-1, 1:] - corner, plane[..., 1:, :-1] - corner
    return (right.square() + down.square()).sqrt().mean(dim=(1, 2, 3))


def _energy(plane: torch.Tensor) -> torch.Tensor:
    plane = plane - plane[..., :1, :1]  # makes a flat plane exactly 0, without rounding errors
    mean = F.avg_pool2d(plane, 5, stride=1, padding=2, count_include_pad=False)  # at the border only existing pixels
    return F.avg_pool2d((plane - mean).square(), BLOCK).sqrt()


def _ratio(part: torch.Tensor, whole: torch.Tensor, both_zero: float = 1.0) -> torch.Tensor:
    return torch.where((part == 0) & (whole == 0), both_zero, part / whole)
