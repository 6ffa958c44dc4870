"""What PSNR does not see: sharpness, texture in its place, color, and LPIPS.

The metrics take SR and HR (`checkerboard` only SR) as ``(N, C, H, W)`` or ``(C, H, W)``, float in [0, 1], with C = 3
for RGB and 1 for gray. They return one float64 per image and use the whole image, rounded to 8-bit levels. No single
one shows that an image is good: white noise raises the gradient as well as texture does, so read them with PSNR.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from srlab.data.images import full_range, luma
from srlab.errors import SrlabError
from srlab.evaluation.metrics import FACE, TooSmall, prepared
from srlab.models import pretrained as backbones

BLOCK = 16  # side of a block of the energy map in pixels
CELLS = 8  # LR pixels along a side of the window in which a pattern of the grid is looked for
LPIPS_SIDE = 31  # pixels: below that nothing is left after AlexNet's second pooling


def gradient_ratio(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the mean gradient magnitude of SR's luma relative to HR's: 1 is as sharp as HR, less is blurry.

    The gradient is the step to the right and to the lower neighbor. Noise counts as sharpness: see `energy_error`.

    Returns
    -------
    torch.Tensor
        ``(N,)``, no unit, float64; 1 where both are flat, infinite where only HR is.

    Raises
    ------
    SrlabError
        As for `srlab.evaluation.metrics.prepared`, or the image has less than 2 pixels along a side.
    """
    sr, hr = _planes(sr, hr, 2, "a gradient")
    return _ratio(_gradient(sr), _gradient(hr))


def energy_error(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the error of the local energy map: whether fine structure is where HR has it, and only there.

    The high-pass is the luma minus its 5x5 mean; its root mean square in each block of 16x16 pixels is the energy map,
    without the rows and columns that fill no whole block. The error is the mean absolute difference of the two maps
    over the mean of HR's. White noise raises the energy everywhere, so it lowers this error much less than texture in
    its place does. The error ignores phase: invented texture of the right strength costs nothing, while PSNR penalizes
    it. It also ignores what the structure looks like: the stair steps of nearest-neighbor interpolation are where the
    edges are and score far better than bicubic (.35 against .68 on Set5). If the structure is the same everywhere, its
    place does not matter either: HR mirrored, another image pixel by pixel (9 to 22 dB), scores better than bicubic x4
    on 13 of the 16 embedded photos (.57 against .74 on average, .19 against .71 on the gravel). So it compares networks
    of one family, and does not prove quality.

    Returns
    -------
    torch.Tensor
        ``(N,)``, no unit, float64; 0 for equal images, 1 for an SR without any structure; infinite where HR has none
        and SR has some.

    Raises
    ------
    SrlabError
        As for `srlab.evaluation.metrics.prepared`, or the image is smaller than one block.
    """
    sr, hr = (_energy(plane) for plane in _planes(sr, hr, BLOCK, "the energy map"))
    return _ratio((sr - hr).abs().mean(dim=(1, 2, 3)), hr.mean(dim=(1, 2, 3)), both_zero=0.0)


def colour_shift(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the distance of SR's mean chroma from HR's: the color cast of the whole image.

    ``sqrt(dCb^2 + dCr^2)`` with BT.601 chroma (112 levels for a pure blue or red), means over all pixels.

    Returns
    -------
    torch.Tensor
        ``(N,)``, in 8-bit levels, float64; 0 for gray images.

    Raises
    ------
    SrlabError
        As for `srlab.evaluation.metrics.prepared`.
    """
    sr, hr = (chroma(image).mean(dim=(2, 3)) for image in prepared(sr, hr, FACE))
    return (sr - hr).norm(dim=1)


def chroma(image: torch.Tensor) -> torch.Tensor:
    """Return BT.601 Cb and Cr around 0, ``(N, 2, H, W)`` in 8-bit levels; gray gives exactly 0."""
    red, green, blue = image.double().expand(-1, 3, -1, -1).unbind(dim=1)
    cb = 37.797 * (blue - red) + 74.203 * (blue - green)
    cr = 93.786 * (red - green) + 18.214 * (red - blue)
    return torch.stack([cb, cr], dim=1)


def checkerboard(sr: torch.Tensor, scale: int = 4) -> torch.Tensor:
    """Compute the strength of a pattern on the grid of LR pixels: the checkerboard artifact (Odena et al. 2016).

    A pattern that is the same in every cell of scale x scale pixels has only frequencies that are multiples of
    1 / scale, with the same phase everywhere. A photo has some power at these frequencies too, but with another phase
    in each place. So this multiplies the spectra of windows of 8 x 8 cells of the luma (Hann, half overlapping) with
    those a knight's move away: what two windows share is left, and the rest cancels. A knight's move, because windows
    would share an edge along a row, a column or a diagonal as well. Pairs with more structure of their own count less.

    It needs no HR. A pattern of one level gives 1, within .1, on gravel as well as on a wall. The embedded photos
    themselves give less than .3 at scale 4 and .45 at scale 8, which leaves few windows, and bicubic less than .1. A
    pattern may change its sign or strength slowly. One that changes from window to window mostly cancels, such as the
    stair steps of nearest-neighbor interpolation, which follow each slope. Regular structure of HR itself (cloth, a
    screen) counts if it has the period of the grid.

    Parameters
    ----------
    sr
        SR images.
    scale
        HR pixels per LR pixel, at least 2.

    Returns
    -------
    torch.Tensor
        ``(N,)``, root mean square of the pattern in 8-bit levels, float64; 0 where windows share less than by chance.

    Raises
    ------
    SrlabError
        As for `srlab.evaluation.metrics.prepared`, the image is smaller than two windows, or the scale is below 2.
    """
    if scale < 2:
        raise SrlabError(f"A checkerboard needs a scale of 2 or more, but the scale is {scale}.")
    side = CELLS * scale
    image = prepared(sr, sr, FACE)[0].double()
    _refuse_small(image, 2 * side, "the checkerboard")
    spectra = _spectra(255 * (full_range(luma(image)) if image.shape[1] == 3 else image), side)
    grid = spectra[..., ::CELLS, ::CELLS]
    # Weights from the frequencies between those of the grid, on which the pattern has nothing.
    near = [spectra.roll(step, axis).abs().square() for axis in (-2, -1) for step in (-CELLS // 2, CELLS // 2)]
    weight = (sum(near)[..., ::CELLS, ::CELLS] / 4 + 0.1).reciprocal()  # below .3 levels all are as good
    shared = total = 0
    for down, right in ((2, 1), (2, -1), (1, 2), (1, -2)):  # half windows; one of both is a whole one
        there = [x[:, down:, max(right, 0) : min(right, 0) or None] for x in (grid, weight)]
        here = [x[:, :-down, max(-right, 0) : min(-right, 0) or None] for x in (grid, weight)]
        both = here[1] * there[1]
        shared = shared + (both * (here[0] * there[0].conj()).real).sum(dim=(1, 2))
        total = total + both.sum(dim=(1, 2))
    power = (shared / total).sum(dim=(1, 2)) - (shared / total)[:, 0, 0]  # the mean is no pattern
    return power.clamp(min=0).sqrt()


def with_noise(sr: torch.Tensor, hr: torch.Tensor, ratio: float, seed: int = 0, *, grey: bool = False) -> torch.Tensor:
    """Raise the gradient ratio of an image with nothing but white noise: the opponent of a network that claims texture.

    Parameters
    ----------
    sr, hr
        ``(N, C, H, W)``, float in [0, 1].
    ratio
        `gradient_ratio` to reach; SR stays as it is if it already has that one.
    seed
        Random seed of the noise.
    grey
        Add the same noise to all channels; otherwise it shows as colored specks.

    Returns
    -------
    torch.Tensor
        SR plus noise of the strength found (at most 0.2), in [0, 1].
    """
    shape = (*sr.shape[:-3], 1, *sr.shape[-2:]) if grey else sr.shape
    pattern = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(sr)
    low, high = 0.0, 0.2
    for _ in range(16):
        middle = (low + high) / 2
        found = gradient_ratio((sr + middle * pattern).clamp(0, 1), hr).mean().item()
        low, high = (middle, high) if found < ratio else (low, middle)
    return (sr + low * pattern).clamp(0, 1)


def load_lpips(weights: str | Path = "auto") -> nn.Module | None:
    """Load the network of LPIPS (Zhang 2018): AlexNet trained on ImageNet, and linear heads trained on human votes.

    The heads are part of torchmetrics. LPIPS with random features would be another metric under a known name, so
    without the AlexNet weights there is no LPIPS.

    Parameters
    ----------
    weights
        ``"auto"`` uses torchvision's AlexNet from torch's cache and never downloads; ``"imagenet"`` downloads it
        (233 MiB); anything else is the path of a file.

    Returns
    -------
    torch.nn.Module or None
        For `lpips`, on the CPU; None if ``"auto"`` finds nothing, after a line that explains it.

    Raises
    ------
    SrlabError
        The download failed, or the file is damaged or of another network.
    """
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    path = backbones.find_weights("alexnet", weights)
    if path is None:
        print(f"LPIPS is left out: no ImageNet weights of AlexNet here. To get them: {backbones.remedy('alexnet')}")
        return None
    with torch.random.fork_rng(devices=[]):  # the initialization, which is overwritten, must not change other results
        network = _NoTrainLpips(net="alex", pnet_rand=True)  # its public class would download the backbone unasked
    weights = {name.removeprefix("features."): value for name, value in backbones.load_weights(path).items()}
    slices = {name: name.partition(".")[2] for name in network.net.state_dict()}  # slice1.0.weight -> 0.weight
    backbones.fill(network.net, {name: weights[own] for name, own in slices.items() if own in weights}, path)
    return network


def lpips(sr: torch.Tensor, hr: torch.Tensor, network: nn.Module) -> torch.Tensor:
    """Compute the learned perceptual distance per image (Zhang 2018, AlexNet, version 0.1); lower is closer.

    Parameters
    ----------
    sr, hr
        SR and HR images.
    network
        From `load_lpips`.

    Returns
    -------
    torch.Tensor
        ``(N,)``, float64; 0 for equal images.

    Raises
    ------
    SrlabError
        As for `srlab.evaluation.metrics.prepared`, or less than 31 pixels along a side.
    """
    sr, hr = prepared(sr, hr, FACE)
    _refuse_small(sr, LPIPS_SIDE, "LPIPS")
    device = next(network.parameters()).device
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        distance = network(*(x.expand(-1, 3, -1, -1).to(device).float() for x in (sr, hr)), normalize=True)
    return distance.flatten().double().to(sr.device)


def _planes(sr: torch.Tensor, hr: torch.Tensor, side: int, what: str) -> list[torch.Tensor]:
    """Return luma planes ``(N, 1, H, W)`` in float64; a gray image is its own plane."""
    pair = prepared(sr, hr, FACE)
    _refuse_small(pair[0], side, what)
    return [luma(x.double()) if x.shape[1] == 3 else x.double() for x in pair]


def _refuse_small(image: torch.Tensor, side: int, what: str) -> None:
    height, width = image.shape[-2:]
    if min(height, width) < side:
        raise TooSmall(f"An image of {width}x{height} pixels is too small for {what}, which needs {side} a side.")


def _spectra(plane: torch.Tensor, side: int) -> torch.Tensor:
    """Return the Fourier transform of half overlapping windows, ``(N, rows, columns, side, side)``."""
    hann = torch.hann_window(side, dtype=plane.dtype, device=plane.device)
    hann = hann[:, None] * hann
    plane = plane - plane[..., :1, :1]  # so that a flat plane is exactly 0
    windows = plane[:, 0].unfold(1, side, side // 2).unfold(2, side, side // 2)
    mean = (windows * hann).sum(dim=(-2, -1), keepdim=True) / hann.sum()
    return torch.fft.fft2((windows - mean) * hann) / hann.sum()


def _gradient(plane: torch.Tensor) -> torch.Tensor:
    corner = plane[..., :-1, :-1]
    right, down = plane[..., :-1, 1:] - corner, plane[..., 1:, :-1] - corner
    return (right.square() + down.square()).sqrt().mean(dim=(1, 2, 3))


def _energy(plane: torch.Tensor) -> torch.Tensor:
    plane = plane - plane[..., :1, :1]  # changes nothing, but a flat plane is exactly 0 then and leaves no residue
    mean = F.avg_pool2d(plane, 5, stride=1, padding=2, count_include_pad=False)  # at the border, of what is there
    return F.avg_pool2d((plane - mean).square(), BLOCK).sqrt()


def _ratio(part: torch.Tensor, whole: torch.Tensor, both_zero: float = 1.0) -> torch.Tensor:
    return torch.where((part == 0) & (whole == 0), both_zero, part / whole)
