"""The clock is set while something runs."""

import contextlib
import os
import time

import pytest

from srlab.base.files import read_safetensors
from srlab.training.runs import Run

from .fault import fault
from .little_run import LAB, little_run, raising, undisturbed, what_is_left

YEAR = 365 * 24 * 3600.0
RIGHT = time.time, time.strftime


@pytest.fixture
def set_clock(monkeypatch):
    """Set the clock of the day; the one that only counts seconds goes on, as in every system."""

    def set_to(offset):
        now, text = RIGHT
        monkeypatch.setattr(time, "time", lambda: now() + offset)
        monkeypatch.setattr(time, "strftime", lambda form, when=None: text(form, when or time.localtime(time.time())))

    return set_to


@fault("the clock jumps a year back and ahead amid training", "same bytes, log in order, no negative duration")
def test_training_does_not_mind_what_time_it_is(set_clock):
    expected = undisturbed()
    little = little_run()
    step, jumps = little.step, iter([-YEAR, YEAR, 0.0, -YEAR, YEAR, -YEAR])

    def step_in_another_year(lr, hr):
        set_clock(next(jumps))
        return step(lr, hr)

    little.step = step_in_another_year
    started = time.monotonic()
    little.fit()
    assert what_is_left() == expected
    assert 0 <= Run(LAB, "default").manifest()["wall_time_s"] <= time.monotonic() - started + 0.1


@fault("a run goes on a year before it began, and then a year later", "same bytes, the newest state is by step")
def test_a_run_goes_on_in_the_past_and_in_the_future(set_clock):
    expected = undisturbed()
    seconds, began, run = [0.0], set(), Run(LAB, "default")
    for steps, offset in ((3, 0.0), (2, -YEAR), (99, YEAR)):
        set_clock(offset)
        little = little_run()
        little.step = raising(little.step, KeyboardInterrupt(), steps + 1)
        with contextlib.suppress(KeyboardInterrupt):
            little.fit()
        seconds.append(run.manifest()["wall_time_s"])
        began.add(run.manifest()["started"])
    assert seconds == sorted(seconds)
    assert len(began) == 1  # it began when it began
    assert what_is_left() == expected


@fault("the newest state has the oldest date", "the run goes on from the newest step")
def test_states_are_found_by_their_step():
    little_run().fit(4)
    run = Run(LAB, "default")
    older, newer = (run.path / "state" / f"{step:09d}.safetensors" for step in run.state_steps())
    for file, offset in ((older, YEAR), (newer, -YEAR)):
        os.utime(file, (time.time() + offset,) * 2)
    assert run.load_state()["step"] == read_safetensors(newer)[1]["step"] == 4
