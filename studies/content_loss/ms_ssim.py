"""MS-SSIM, which is probably the study's column "SSIM" (see `srlab.STUDY`)."""

import pytorch_msssim
import torch

from srlab.evaluation.metrics import STUDY, TooSmall, prepared

SMALLEST = 161  # pixels per side: an 11x11 window must still fit after the image is halved four times


def ms_ssim(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """Compute the multi-scale structural similarity per image (Wang, Simoncelli and Bovik 2003), from 0 to 1.

    Never compare it with SSIM: four of its five scales are coarser than the image, so it ignores much of what x4 loses.
    If a side is not a multiple of 16, pytorch-msssim pads it with zeros. Fewer than 161 pixels per side raise
    `TooSmall`. The result is ``(N,)``, float64.
    """
    sr, hr = prepared(sr, hr, STUDY)
    if min(sr.shape[-2:]) < SMALLEST:
        raise TooSmall(f"MS-SSIM needs at least {SMALLEST} pixels per side, but got {tuple(sr.shape[-2:])}.")
    return pytorch_msssim.ms_ssim(sr.double(), hr.double(), data_range=1.0, size_average=False)
