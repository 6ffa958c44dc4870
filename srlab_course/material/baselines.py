"""Images that are changed on purpose, as baselines for the figures of the labs."""

import torch
import torch.nn.functional as F

from srlab.data.degradation import blur
from srlab.evaluation.perceptual import gradient_ratio


def blur_until(image: torch.Tensor, error: float) -> torch.Tensor:
    """Blur images ``(N, C, H, W)`` until they have a given MSE, using bisection up to a sigma of 8 pixels."""
    low, high = 0.0, 8.0
    for _ in range(30):
        sigma = (low + high) / 2
        blurred = blur(image, sigma)
        low, high = (sigma, high) if F.mse_loss(blurred, image) < error else (low, sigma)
    return blurred


def with_noise(sr: torch.Tensor, hr: torch.Tensor, ratio: float, seed: int = 0, *, gray: bool = False) -> torch.Tensor:
    """Raise the `gradient_ratio` of SR to `ratio` with white noise: a baseline for networks that claim to add texture.

    The noise has a standard deviation of at most 0.2. SR is unchanged if it is already sharp enough. `gray` adds the
    same noise to all channels; otherwise it shows as colored specks. Images are ``(N, C, H, W)`` in [0, 1].
    """
    shape = (*sr.shape[:-3], 1, *sr.shape[-2:]) if gray else sr.shape
    pattern = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(sr)
    low, high = 0.0, 0.2
    for _ in range(16):
        middle = (low + high) / 2
        found = gradient_ratio((sr + middle * pattern).clamp(0, 1), hr).mean().item()
        low, high = (middle, high) if found < ratio else (low, middle)
    return (sr + low * pattern).clamp(0, 1)


def sharpened(sr: torch.Tensor, hr: torch.Tensor, ratio: float) -> torch.Tensor:
    """Raise the `gradient_ratio` of one SR image to `ratio` with an unsharp mask: a baseline for sharp edges.

    Add a multiple, at most 16, of what a Gaussian blur of 2 pixels removes. Images are ``(1, C, H, W)`` in [0, 1].
    """
    detail, low, high = sr - blur(sr, 2), 0.0, 16.0
    for _ in range(20):
        amount = (low + high) / 2
        found = (sr + amount * detail).clamp(0, 1)
        low, high = (amount, high) if gradient_ratio(found, hr).item() < ratio else (low, amount)
    return found
