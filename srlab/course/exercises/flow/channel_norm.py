"""Lab 06: a norm over the channels of each pixel."""

import torch
import torch.nn.functional as F

from srlab.course.exercise import Exercise, sample


def channel_norm(x: torch.Tensor) -> torch.Tensor:
    """Bring the channels of each pixel to mean 0 and variance 1.

    Parameters
    ----------
    x
        ``(N, C, h, w)``.

    Returns
    -------
    torch.Tensor
        The same shape; 1e-5 is added to the variance before the division.
    """
    centered = x - x.mean(1, keepdim=True)
    return centered * (centered.square().mean(1, keepdim=True) + 1e-5).rsqrt()  # faster than a root and a division


def _over(*dims: int) -> object:
    """Return a norm with the mean and variance over these dimensions."""

    def norm(x: torch.Tensor) -> torch.Tensor:
        centered = x - x.mean(dims, keepdim=True)
        return centered / (centered.square().mean(dims, keepdim=True) + 1e-5).sqrt()

    return norm


EXERCISE = Exercise(
    channel_norm,
    level="easy",
    points=1,
    cases={
        "maps of six channels": (3 * sample(2, 6, 4, 5, low=-1, high=2),),
        "pixels whose channels are equal": (sample(2, 1, 3, 4).repeat(1, 4, 1, 1),),
    },
    known_mistakes={
        "You normalize over the image as well, so a tile would depend on its size. Each pixel has its own mean and "
        "variance. Over which dimension only?": [
            _over(1, 2, 3),
            lambda x: F.group_norm(x, 2),
            lambda x: F.group_norm(x, 1),
        ],
        "You normalize each channel over the image. It's the other way around: over the channels, at each pixel.": [
            _over(2, 3),
            lambda x: F.instance_norm(x),
        ],
        "You normalize over the batch, so each image depends on the others, as with batch norm.": [
            _over(0, 2, 3),
            _over(0),
            _over(0, 1, 2, 3),
        ],
        "You normalize over the last dimension, the columns. The channels are dimension 1.": [
            lambda x: F.layer_norm(x, x.shape[-1:]),
        ],
        "The mean isn't 0: you only scale.": [
            lambda x: x / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt(),
            lambda x: F.normalize(x, dim=1),
            lambda x: x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt(),
        ],
        "You subtract the mean, and the variance stays as it is. Divide by the standard deviation.": (
            lambda x: x - x.mean(1, keepdim=True)
        ),
        "You divide by the variance. Its root brings the variance to 1.": (
            lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5)
        ),
        "var and std divide by C - 1 unless you pass correction=0. So your variance is slightly less than 1.": [
            lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt(),
            lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
            lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5),
        ],
        "Where all channels of a pixel are equal, you divide by 0. Add 1e-5 to the variance.": (
            lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)
        ),
    },
    also_accepted=[
        lambda x: F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2]).permute(0, 3, 1, 2),
        lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt(),
        lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, correction=0) + 1e-5),
        lambda x: (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5),
    ],
    tolerance=1e-3,
    reveal=False,
    hints=(
        "x.mean(1, keepdim=True) is the mean over the channels, with a shape that lines up with x.",
        "Subtract that mean, then divide by the root of the mean square of the result plus 1e-5.",
    ),
)
