"""Lab 05: an interval for a mean gain, from photos drawn again."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled
from srlab_course.feedback.value_comparison import take


def bootstrap(
    ours: torch.Tensor, theirs: torch.Tensor, draws: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the 95% bootstrap interval of the mean gain of one method over another on the same photos.

    Each draw is a set of N of the N photos, in which a photo may occur several times. The interval contains the middle
    95% of the mean gains of all draws.

    Parameters
    ----------
    ours, theirs
        ``(N,)`` scores of the two methods, such as PSNR in dB, with the photos in the same order.
    draws
        Number of draws.
    generator
        Source of random numbers.

    Returns
    -------
    tuple of torch.Tensor
        Lower and upper end, each ``()``, in the unit of the scores.
    """
    gains = ours - theirs
    picked = torch.randint(len(gains), (draws, len(gains)), generator=generator)
    means = gains[picked].mean(1)
    return torch.quantile(means, 0.025), torch.quantile(means, 0.975)


DRAWS = 40_000  # so that chance changes an end by less than the tolerance


def _scores(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return PSNR (dB) for photos that differ more than the two methods, which rank them differently."""
    theirs = torch.tensor([27.1, 31.4, 22.6, 26.3, 34.9, 29.3, 24.4, 33.0, 25.7, 30.2])[:count]
    return theirs + torch.tensor([0.4, 0.2, 0.7, 0.5, -0.3, 1.9, 1.0, 0.1, 2.3, 0.3])[:count], theirs


def _observe(answer: Answer, ours: torch.Tensor, theirs: torch.Tensor) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    result = filled(answer(ours, theirs, DRAWS, generator))
    if isinstance(result, torch.Tensor) and result.numel() == DRAWS:
        raise IncorrectAnswer("You return the mean gain of every draw. Between which two values are 95% of them?")
    if not isinstance(result, tuple | list) and not (isinstance(result, torch.Tensor) and result.shape == (2,)):
        raise IncorrectAnswer("Return two numbers: the lower and the upper end of the interval.")
    ends = take(list(result), [0.0, 0.0])
    again, other = (list(answer(ours, theirs, 100, generator)) for _ in range(2))
    torch.rand(1)  # moves the default generator
    generator.manual_seed(0)
    repeated = list(answer(ours, theirs, DRAWS, generator))
    return {
        "the interval": ends,
        "the generator decides": repeated == list(result),
        "the next call draws anew": again != other,
    }


EXERCISE = Exercise(
    bootstrap,
    level="medium",
    points=4,
    cases={
        "six photos": _scores(6),
        "ten photos": _scores(10),
        "no width if every photo gains the same": (
            torch.tensor([20.5, 24.5, 36.5, 30.5]),
            torch.tensor([20.0, 24.0, 36.0, 30.0]),
        ),
    },
    observe=_observe,
    tolerance=0.03,
)
