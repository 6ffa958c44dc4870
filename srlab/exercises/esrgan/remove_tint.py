"""Lab 04: LR knows the mean colour of the photo, and SR can have it back."""

import torch
import torch.nn.functional as F

from srlab.data.images import quantize
from srlab.exercises import Answer, Exercise, sample


def remove_tint(sr: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
    """Give each SR image the mean colour of its LR image, which making LR smaller has kept.

    Parameters
    ----------
    sr, lr
        ``(N, 3, H, W)`` and ``(N, 3, h, w)``.

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)``; each channel of each image is shifted by one number, and nothing is clamped.
    """
    return sr + lr.mean(dim=(2, 3), keepdim=True) - sr.mean(dim=(2, 3), keepdim=True)


def _mean(image: torch.Tensor) -> torch.Tensor:
    return image.mean((2, 3), keepdim=True)


def _over(*dims: int) -> Answer:
    """Takes the means over other dimensions."""
    return lambda sr, lr: sr + lr.mean(dims, keepdim=True) - sr.mean(dims, keepdim=True)


def _with_contrast(unbiased: bool) -> Answer:
    """Takes over LR's standard deviation along with its mean."""

    def match(sr: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        own, wanted = (image.std((2, 3), unbiased, keepdim=True) for image in (sr, lr))
        return (sr - _mean(sr)) * wanted / own + _mean(lr)

    return match


# Two images, each with a tint of its own, one of them beyond white.
_LR = sample(2, 3, 4, 5, seed=1)
_SR = sample(2, 3, 8, 10, seed=2) + torch.tensor([[0.1, -0.05, 0.0], [-0.08, 0.02, 0.3]])[..., None, None]

EXERCISE = Exercise(
    remove_tint,
    level="easy",
    cases={
        "the mean colour of LR, image by image": (_SR, _LR),
        "a picture without a tint stays": (remove_tint(_SR, _LR), _LR),
    },
    mistakes={
        "SR comes back as it was.": lambda sr, lr: sr,
        "The tint was doubled and not taken away. Which of the two means is right, SR's or LR's?": (
            lambda sr, lr: sr + _mean(sr) - _mean(lr)
        ),
        "SR has lost its own mean, and has not got that of LR yet.": lambda sr, lr: sr - _mean(sr),
        "LR's mean is added, but SR still has its own.": lambda sr, lr: sr + _mean(lr),
        "That is a correction, and not yet a picture. Add it to SR.": lambda sr, lr: _mean(lr) - _mean(sr) + 0 * sr,
        "The means of the first image are used for all. Each image has a tint of its own.": (
            lambda sr, lr: sr - _mean(sr[:1]) + _mean(lr[:1])
        ),
        "The mean is taken over the channels at each pixel: that makes a grey picture. A tint is one number a channel, "
        "over all of its pixels.": (
            lambda sr, lr: sr - sr.mean(1, keepdim=True) + F.interpolate(lr.mean(1, keepdim=True), size=sr.shape[-2:])
        ),
        "These are sums. SR has more pixels than LR, so the sums cannot be compared; the means can.": (
            lambda sr, lr: sr - sr.sum((2, 3), keepdim=True) + lr.sum((2, 3), keepdim=True)
        ),
        "That is LR, enlarged. It has the right colour, but SR's texture is gone: only the mean is wanted from LR.": [
            lambda sr, lr: F.interpolate(lr, size=sr.shape[-2:]),
            lambda sr, lr: F.interpolate(lr, size=sr.shape[-2:], mode="bilinear"),
            lambda sr, lr: F.interpolate(lr, size=sr.shape[-2:], mode="bicubic"),
        ],
        "The mean is taken over the batch as well, and each image has a tint of its own.": _over(0, 2, 3),
        "The mean is taken over the three channels as well: that corrects the brightness, and leaves the tint.": (
            _over(1, 2, 3)
        ),
        "One number is added to all images and channels. A tint is different in each channel.": _over(0, 1, 2, 3),
        "The mean colour is right, but the channels were scaled, and their texture with them. A tint lies over the "
        "picture: only shift each channel.": [
            lambda sr, lr: sr * _mean(lr) / _mean(sr),
            _with_contrast(unbiased=True),
            _with_contrast(unbiased=False),
        ],
        "The colour of each LR pixel was moved, and texture with it. A tint is one number a channel, and no more.": (
            lambda sr, lr: sr + F.interpolate(lr - F.adaptive_avg_pool2d(sr, lr.shape[-2:]), size=sr.shape[-2:])
        ),
        "The result was clamped or rounded. That comes last, when a picture is shown or saved; here it moves the mean "
        "again.": [lambda sr, lr: remove_tint(sr, lr).clamp(0, 1), lambda sr, lr: quantize(remove_tint(sr, lr))],
        "The shapes do not fit. The mean should run over height and width, and keep these two axes with one entry each "
        "(an option of mean). And SR is larger than LR, so they cannot be subtracted pixel by pixel.": [
            lambda sr, lr: sr - sr.mean((2, 3)) + lr.mean((2, 3)),
            lambda sr, lr: sr - sr.mean(1, keepdim=True) + lr.mean(1, keepdim=True),
            lambda sr, lr: sr + lr - _mean(sr),
        ],
    },
    also_right=[lambda sr, lr: sr - (F.adaptive_avg_pool2d(sr, 1) - F.adaptive_avg_pool2d(lr, 1))],
    tolerance=1e-5,
    reveal=False,
    hints=(
        "LR has the right mean colour: making an image smaller by averaging keeps it. By how much does SR's mean "
        "differ, in each channel of each image?",
        "mean takes several axes at once, dim=(2, 3), and keepdim=True makes (N, 3, 1, 1) of it, which can be added to "
        "an image of any size.",
    ),
)
