"""Images that are changed on purpose, as baselines for the figures of the labs."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.data.degradation import blur
from srlab.evaluation.perceptual import gradient_ratio


def blur_until(image: torch.Tensor, error: float) -> torch.Tensor:
    """Blur images ``(N, C, H, W)`` until they have a given MSE, with a sigma of at most 8 pixels."""
    return blur(image, _smallest(8, lambda sigma: F.mse_loss(blur(image, sigma), image) >= error))


def with_noise(sr: torch.Tensor, hr: torch.Tensor, ratio: float, seed: int = 0, *, gray: bool = False) -> torch.Tensor:
    """Raise the `gradient_ratio` of SR to `ratio` with white noise: a baseline for networks that claim to add texture.

    The noise has a standard deviation of at most 0.2. SR is unchanged if it is already sharp enough. `gray` adds the
    same noise to all channels; otherwise it shows as colored specks. Images are ``(N, C, H, W)`` in [0, 1].
    """
    shape = (*sr.shape[:-3], 1, *sr.shape[-2:]) if gray else sr.shape
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(sr)
    return _sharper(sr, hr, ratio, noise, 0.2)


def sharpened(sr: torch.Tensor, hr: torch.Tensor, ratio: float) -> torch.Tensor:
    """Raise the `gradient_ratio` of SR to `ratio` with an unsharp mask: a baseline for sharp edges.

    Add a multiple, at most 16, of what a Gaussian blur of 2 pixels removes. Images are ``(N, C, H, W)`` in [0, 1].
    """
    return _sharper(sr, hr, ratio, sr - blur(sr, 2), 16)


def _sharper(sr: torch.Tensor, hr: torch.Tensor, ratio: float, detail: torch.Tensor, most: float) -> torch.Tensor:
    """Add as much of a detail as gives the ratio."""

    def added(amount: float) -> torch.Tensor:
        return (sr + amount * detail).clamp(0, 1)

    return added(_smallest(most, lambda amount: gradient_ratio(added(amount), hr).mean() >= ratio))


def _smallest(most: float, enough: Callable[[float], bool]) -> float:
    """Return the smallest number up to `most` that is enough, by bisection."""
    low, high = 0.0, float(most)
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return low
