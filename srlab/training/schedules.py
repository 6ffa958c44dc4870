"""Learning-rate schedules: functions from the step to a factor on the learning rate.

They hold no state. A resumed run asks for the factor of its step and gets what an uninterrupted run got.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]


def constant(step: int) -> float:
    """Leave the learning rate as it is."""
    return 1.0


@dataclass(frozen=True)
class Milestones:
    """Multiply by `gamma` at each of the given steps; the schedule of SRGAN, ESRGAN and most papers."""

    steps: tuple[int, ...]
    gamma: float = 0.5

    def __call__(self, step: int) -> float:
        """Return the factor for a step, counted from 0."""
        return self.gamma ** sum(step >= milestone for milestone in self.steps)


@dataclass(frozen=True)
class OneCycle:
    """Rise linearly to 1, then fall along a cosine to `last` (after Smith 2018), each for a share of the total.

    Short runs reach further with it than with a constant rate. Beyond `total` the rate stays at `last`.

    Attributes
    ----------
    total
        Steps of the whole run.
    warmup
        Share of `total` spent rising.
    last
        Factor at the end.
    """

    total: int
    warmup: float = 0.2
    last: float = 0.02

    def __call__(self, step: int) -> float:
        """Return the factor for a step, counted from 0."""
        rise = self.warmup * self.total
        if step < rise:
            return (step + 1) / (rise + 1)
        fallen = min(1.0, (step - rise) / max(1.0, self.total - rise))
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * fallen)) / 2
