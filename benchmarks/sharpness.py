"""How much of a lack of sharpness a network has made up for."""

from collections.abc import Sequence

import numpy as np
import torch

from srlab.evaluation.perception import gradient_ratio


def gap_closed(ratios: Sequence[float], before: Sequence[float]) -> float:
    """Share of the gap in sharpness that a method closes: ``1 - sum |1 - r| / sum |1 - r0|``.

    Each picture counts by its distance from its own HR, so one that is too sharp can't make up for another that is too
    soft, as it does in a mean of the ratios.

    Parameters
    ----------
    ratios
        Gradient ratio of each picture.
    before
        The same of the method to compare with, such as bicubic.
    """
    return float(1 - np.abs(1 - np.asarray(ratios)).sum() / np.abs(1 - np.asarray(before)).sum())


def ratios_of_squares(sr: torch.Tensor, hr: torch.Tensor) -> list[float]:
    """Gradient ratio of each square of one picture ``(1, C, H, W)``; a square has a quarter of its shorter side."""
    side = min(hr.shape[2:]) // 4
    pair = (x[0].unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).flatten(0, 1) for x in (sr, hr))
    return gradient_ratio(*pair).tolist()
