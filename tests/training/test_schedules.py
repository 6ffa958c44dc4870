"""srlab.training.schedules: the factor on the learning rate at each absolute step."""

from itertools import pairwise

import pytest

from srlab.base.errors import SrlabError
from srlab.training.schedules import Milestones, OneCycle, constant


def test_a_constant_schedule_leaves_the_rate_alone():
    assert {constant(step) for step in (0, 1, 10**6)} == {1.0}


def test_milestones_take_effect_at_their_step_and_multiply():
    schedule = Milestones((3, 5), gamma=0.1)
    assert [schedule(step) for step in range(7)] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_milestones_halve_by_default_and_may_come_in_any_order():
    assert Milestones((5, 3))(4) == 0.5
    assert Milestones(())(10**6) == 1


@pytest.mark.parametrize("schedule", [OneCycle(100), OneCycle(100, 0.5, 0.0), OneCycle(1000, 0.01), OneCycle(40, 0.25)])
def test_one_cycle_rises_to_1_falls_to_its_last_factor_and_stays_there(schedule):
    factors = [schedule(step) for step in range(schedule.total + 1)]
    top = factors.index(max(factors))
    assert factors[top] == pytest.approx(1)
    assert top == schedule.warmup * schedule.total
    assert 0 < factors[0] < 0.5
    assert all(a < b for a, b in pairwise(factors[: top + 1]))
    assert all(a > b for a, b in pairwise(factors[top:]))
    assert factors[-1] == pytest.approx(schedule.last)
    assert schedule(schedule.total * 10) == pytest.approx(schedule.last)


def test_one_cycle_rises_in_equal_steps_and_halves_in_the_middle_of_the_fall():
    schedule = OneCycle(100, warmup=0.2, last=0.02)
    rises = [schedule(step + 1) - schedule(step) for step in range(20)]
    assert rises == pytest.approx([1 / 21] * 20)
    assert schedule(60) == pytest.approx((1 + 0.02) / 2)


def test_one_cycle_without_warm_up_begins_at_its_top():
    assert OneCycle(10, warmup=0)(0) == 1


@pytest.mark.parametrize("total", [1, 2, 3])
def test_one_cycle_of_very_few_steps_has_factors_from_0_to_1(total):
    assert all(0 < OneCycle(total)(step) <= 1 for step in range(total))


@pytest.mark.parametrize("values", [(0,), (-5,), (10, 1.0), (10, -0.1), (10, 1.5)])
def test_one_cycle_refuses_values_that_make_no_schedule(values):
    with pytest.raises(SrlabError, match="at least 1 step and a warm-up share below 1"):
        OneCycle(*values)
