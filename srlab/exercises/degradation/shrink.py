"""Lab 00: a signal made smaller by area averages."""

import torch
import torch.nn.functional as F

from srlab.exercises import Exercise, sample


def shrink(signal: torch.Tensor, factor: int) -> torch.Tensor:
    """Shrink the last axis by averaging each run of `factor` samples: ``(..., W)`` to ``(..., W / factor)``."""
    return signal.unflatten(-1, (-1, factor)).mean(-1)


def _blocks(signal: torch.Tensor, factor: int) -> torch.Tensor:
    return signal.unflatten(-1, (-1, factor))


def _of_four_axes(signal: torch.Tensor, factor: int) -> torch.Tensor:
    images, channels, height, width = signal.shape
    return signal.reshape(images, channels, height, width // factor, factor).mean(-1)


EXERCISE = Exercise(
    shrink,
    level="easy",
    cases={
        "each result is the mean of its neighbours": (sample(24), 4),
        "any factor": (sample(2, 3, 24, seed=1), 3),
        "an image that was turned on its side": (sample(1, 3, 12, 8, seed=2).transpose(-1, -2), 2),
    },
    mistakes={
        "Each result is a single sample of the signal, and its neighbours are never looked at: fine stripes of black "
        "and white would become one flat tone. That is aliasing; what should a wider pixel see?": [
            lambda signal, factor: signal[..., ::factor],
            lambda signal, factor: signal[..., 1::factor],
            lambda signal, factor: signal[..., factor // 2 :: factor],
            lambda signal, factor: signal[..., factor - 1 :: factor],
        ],
        "The result is brighter than anything in the signal. Is it the sum of the samples, or their mean?": (
            lambda signal, factor: _blocks(signal, factor).sum(-1)
        ),
        "Each result mixes samples that lie far apart in the signal. When the axis is split in two, which of the two "
        "runs over neighbours?": lambda signal, factor: signal.unflatten(-1, (factor, -1)).mean(-2),
        "Each result is the largest of its neighbours, or the smallest. An average is wanted, to which all add.": [
            lambda signal, factor: _blocks(signal, factor).amax(-1),
            lambda signal, factor: _blocks(signal, factor).amin(-1),
        ],
        "Each result is the median of its neighbours. The median takes one of them and forgets how far off the others "
        "are; in the mean all of them count.": lambda signal, factor: _blocks(signal, factor).median(-1).values,
        "Each result is the mean of the first and the last of its neighbours, but those between them count as well.": (
            lambda signal, factor: (signal[..., ::factor] + signal[..., factor - 1 :: factor]) / 2
        ),
        "There is a number in your code where `factor` should be: with another factor the blocks have a wrong size.": [
            lambda signal, factor, fixed=fixed: shrink(signal, fixed) for fixed in (2, 3, 4, 8)
        ],
        "Your code counts on a fixed number of axes, but a row of numbers may come alone, in an image, or in a batch "
        "of them. Split or slice the last axis, -1, and let `...` stand for all before it.": [
            _of_four_axes,
            lambda signal, factor: F.avg_pool2d(signal, (1, factor)),
            lambda signal, factor: F.avg_pool2d(signal, factor),
            lambda signal, factor: F.avg_pool1d(signal, factor),
            lambda signal, factor: F.interpolate(signal, scale_factor=(1, 1 / factor), mode="area"),
            lambda signal, factor: signal.reshape(signal.shape[0], signal.shape[1] // factor, factor).mean(-1),
            lambda signal, factor: signal.reshape(*signal.shape[:2], signal.shape[2] // factor, factor).mean(-1),
            lambda signal, factor: signal.reshape(signal.size(-2), -1, factor).mean(-1),
            lambda signal, factor: signal[:, ::factor],
            lambda signal, factor: signal[:, :, :, ::factor],
            lambda signal, factor: _blocks(signal, factor).mean(2),
        ],
        "The factor says how many samples become one, on the last axis, and not how many are left.": [
            lambda signal, factor: signal.reshape(factor, -1).mean(-1),
            lambda signal, factor: signal.unflatten(-1, (factor, -1)).mean(-1),
        ],
        "Only the last axis gets shorter; the others stay.": lambda signal, factor: signal.reshape(-1, factor).mean(-1),
    },
    also_right=[lambda signal, factor: sum(signal[..., i::factor] for i in range(factor)) / factor],
    hints=(
        "One LR pixel is as wide as several HR pixels, and should tell about all of them.",
        "Split the last axis into two, so that neighbours share a row, and average over the right one.",
    ),
)
