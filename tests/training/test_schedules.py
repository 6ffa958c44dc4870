"""srlab.training.schedules: the factor on the learning rate at each absolute step."""

from itertools import pairwise

import pytest

from srlab.training.schedules import Milestones, OneCycle, constant


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (constant, [1] * 7),
        (Milestones((3, 5), gamma=0.1), [1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        (Milestones((5, 3)), [1, 1, 1, 0.5, 0.5, 0.25, 0.25]),
        (Milestones(()), [1] * 7),
        (OneCycle(6, warmup=0.5, last=0), [0.25, 0.5, 0.75, 1, 0.75, 0.25, 0]),
        (OneCycle(3, warmup=0, last=0.1), [1, 0.775, 0.325, 0.1, 0.1, 0.1, 0.1]),
    ],
)
def test_factors_of_small_schedules(schedule, factors):
    assert [schedule(step) for step in range(7)] == pytest.approx(factors)


@pytest.mark.parametrize("schedule", [OneCycle(100), OneCycle(1000, 0.01), OneCycle(5)])
def test_one_cycle_rises_to_1_falls_to_its_last_factor_and_stays_there(schedule):
    factors = [schedule(step) for step in range(schedule.total + 1)]
    top = factors.index(max(factors))
    assert all(0 < factor <= 1 for factor in factors)
    assert all(a < b for a, b in pairwise(factors[: top + 1]))
    assert all(a > b for a, b in pairwise(factors[top:]))
    assert factors[-1] == schedule(schedule.total * 10) == pytest.approx(schedule.last)
