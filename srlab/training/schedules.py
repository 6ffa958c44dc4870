"""Learning-rate schedules: functions from the step to a factor on the learning rate.

They have no state, so a resumed run uses the same rates as an uninterrupted one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]


def constant(step: int) -> float:
    """Return 1: the learning rate does not change."""
    return 1.0


@dataclass(frozen=True)
class Milestones:
    """A schedule that multiplies the factor by `gamma` at each of `steps`, as in SRGAN, ESRGAN and most papers."""

    steps: tuple[int, ...]
    gamma: float = 0.5

    def __call__(self, step: int) -> float:
        """Return the factor for a step, counted from 0."""
        return self.gamma ** sum(step >= milestone for milestone in self.steps)


@dataclass(frozen=True)
class OneCycle:
    """A schedule that rises linearly to 1, then falls along a cosine to `last` (after Smith 2018).

    A short run gets further with it than with a constant rate. After `total` steps the factor remains at `last`.

    Attributes
    ----------
    total
        Number of steps of the whole run.
    warmup
        Share of `total` spent rising.
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


# By their names in recipes, from the total number of steps.
SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "constant": lambda total: constant,
    "onecycle": OneCycle,
    "cosine": lambda total: OneCycle(total, warmup=0.0),
    "halved": lambda total: Milestones((total // 2,), 0.1),  # a tenth in the second half
}
