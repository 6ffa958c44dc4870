"""The study's metric for whether a loss makes colors paler."""

import torch

from srlab.evaluation.metrics import WHOLE_RGB, prepared
from srlab.evaluation.perceptual import chroma


def saturation_ratio(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the mean distance of SR's pixels from gray relative to HR's: below 1 the colors are paler.

    The distance from gray is ``sqrt(Cb^2 + Cr^2)`` (BT.601 chroma around 0). Images are ``(N, C, H, W)`` or ``(C, H,
    W)`` in [0, 1], with C = 3 for RGB and 1 for gray. The result is ``(N,)``, float64; NaN where HR is gray.
    """
    sr, hr = (chroma(image).norm(dim=1).mean(dim=(1, 2)) for image in prepared(sr, hr, WHOLE_RGB))
    return torch.where(hr == 0, torch.nan, sr / hr)
