"""Test srlab.training.schedules: the learning-rate factor at each absolute step."""

import pytest

from srlab.training.schedules import SCHEDULES, Milestones, OneCycle, constant


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (constant, [1] * 7),
        (Milestones((3, 5), gamma=0.1), [1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        (Milestones(()), [1] * 7),
        (OneCycle(6, warmup=0.5, last=0), [0.25, 0.5, 0.75, 1, 0.75, 0.25, 0]),
        (OneCycle(3, warmup=0, last=0.1), [1, 0.775, 0.325, 0.1, 0.1, 0.1, 0.1]),
    ],
)
def test_factors_of_small_schedules(schedule, factors):
    assert [schedule(step) for step in range(7)] == pytest.approx(factors)


@pytest.mark.parametrize("name", SCHEDULES)
def test_named_schedule_of_any_length(name):
    for total in (1, 2, 100):
        factors = [SCHEDULES[name](total)(step) for step in range(total)]
        assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) > 0.99
    assert (name == "constant") == (factors[-1] == 1)
