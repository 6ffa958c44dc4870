"""The metrics that have a name: each is declared here once, and commands, tables, figures and tests take it from here.

To add one, add an entry to `METRICS`; one with a network of its own also has a function that loads it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from srlab.data.resampling import downsample
from srlab.evaluation import metrics, perceptual
from srlab.evaluation.metrics import Protocol
from srlab.evaluation.patch_distance import patch_distance

Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (sr, hr) -> (N,)
Weights = str | Path | Mapping[str, str | Path]  # for the networks of all metrics, or by the names of the metrics


@dataclass(frozen=True)
class Setup:
    """What a metric may depend on in addition to the two images.

    Attributes
    ----------
    protocol
        Protocol of PSNR and SSIM, whose resampler makes LR.
    scale
        HR pixels per LR pixel.
    network
        What `Metric.load` returned.
    """

    protocol: Protocol
    scale: int
    network: Any = None


@dataclass(frozen=True)
class Metric:
    """A metric with a name.

    Attributes
    ----------
    function
        Function from SR and HR, ``(N, 3, H, W)``, and a `Setup` to one score per image, ``(N,)``.
    label
        Text for the axis of a figure, with the unit.
    better
        1 if higher is better, -1 if lower is; 0 if neither, because HR has a value in between.
    smallest
        Smallest side of an image in pixels at scale 4, after the crop of a protocol; 1 for a metric without a window.
    digits
        Decimals in printed tables.
    by_protocol
        Whether the metric prepares images by a protocol; if not, it uses the whole image in color.
    load
        Function from ``"auto"``, ``"imagenet"`` or the path of a file to the network that the metric needs. It returns
        None, and prints why, if the network has no weights; then the metric is left out.
    """

    function: Callable[[torch.Tensor, torch.Tensor, Setup], torch.Tensor]
    label: str
    better: int
    smallest: int
    digits: int
    by_protocol: bool = False
    load: Callable[[str | Path], nn.Module | None] | None = None

    def measure(self, how: Setup) -> Measure:
        """Return the function of SR and HR in a setup."""
        return lambda sr, hr: self.function(sr, hr, how)


def _lr_consistency(sr: torch.Tensor, hr: torch.Tensor, how: Setup) -> torch.Tensor:
    """LR is from the resampler only, without other degradations."""
    resampler = how.protocol.resampler
    return metrics.lr_consistency(sr, downsample(hr, how.scale, resampler), resampler)


METRICS = {
    "psnr": Metric(
        lambda sr, hr, how: metrics.psnr(sr, hr, how.protocol),
        label="PSNR in dB",
        better=1,
        smallest=1,
        digits=2,
        by_protocol=True,
    ),
    "ssim": Metric(
        lambda sr, hr, how: metrics.ssim(sr, hr, how.protocol),
        label="SSIM",
        better=1,
        smallest=11,
        digits=4,
        by_protocol=True,
    ),
    "gradient_ratio": Metric(
        lambda sr, hr, _: perceptual.gradient_ratio(sr, hr),
        label="gradient relative to HR",
        better=0,
        smallest=2,
        digits=3,
    ),
    "energy_error": Metric(
        lambda sr, hr, _: perceptual.energy_error(sr, hr),
        label="error of the local energy map",
        better=-1,
        smallest=perceptual.BLOCK,
        digits=3,
    ),
    "color_shift": Metric(
        lambda sr, hr, _: perceptual.color_shift(sr, hr),
        label="color shift in 8-bit levels",
        better=-1,
        smallest=1,
        digits=2,
    ),
    "patch_distance": Metric(
        lambda sr, hr, _: patch_distance(sr, hr),
        label="patch distance to HR",
        better=-1,
        smallest=176,
        digits=3,
    ),
    "lr_consistency": Metric(
        _lr_consistency,
        label="LR consistency in dB",
        better=1,
        smallest=1,
        digits=2,
    ),
    "checkerboard": Metric(  # it needs no HR
        lambda sr, _, how: perceptual.checkerboard(sr, how.scale),
        label="checkerboard in 8-bit levels",
        better=-1,
        smallest=64,
        digits=3,
    ),
    "lpips": Metric(
        lambda sr, hr, how: perceptual.lpips(sr, hr, how.network),
        label="LPIPS",
        better=-1,
        smallest=perceptual.LPIPS_SIDE,
        digits=3,
        load=perceptual.load_lpips,
    ),
}
