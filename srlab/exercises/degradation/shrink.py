"""Lab 00: a signal made smaller by area averages."""

import torch

from srlab.exercises import Exercise, sample


def shrink(signal: torch.Tensor, factor: int) -> torch.Tensor:
    """Shrink the last axis by averaging each run of `factor` samples: ``(..., W)`` to ``(..., W / factor)``."""
    return signal.unflatten(-1, (-1, factor)).mean(-1)


EXERCISE = Exercise(
    shrink,
    level="easy",
    cases={
        "fine stripes turn grey": (torch.arange(20.0) % 2, 4),
        "each result is the mean of its neighbours": (sample(2, 3, 24), 3),
    },
    mistakes={
        "Each result is a single sample of the signal, and its neighbours are never looked at: fine stripes of black "
        "and white became one flat tone. That is aliasing; what should a wider pixel see?": [
            lambda signal, factor: signal[..., ::factor],
            lambda signal, factor: signal[..., 1::factor],
            lambda signal, factor: signal[..., factor // 2 :: factor],
            lambda signal, factor: signal[..., factor - 1 :: factor],
        ],
        "The result is brighter than anything in the signal. Is it the sum of the samples, or their mean?": (
            lambda signal, factor: signal.unflatten(-1, (-1, factor)).sum(-1)
        ),
        "Each result mixes samples that lie far apart in the signal. When the axis is split in two, which of the two "
        "runs over neighbours?": lambda signal, factor: signal.unflatten(-1, (factor, -1)).mean(-2),
        "Each result is the largest of its neighbours; an average is wanted.": (
            lambda signal, factor: signal.unflatten(-1, (-1, factor)).amax(-1)
        ),
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
