"""Climb the ladder: run its tests, ``notebooks/workshops/test_ladder.py``, on functions of a notebook or a file."""

from collections.abc import Collection
from types import ModuleType
from typing import Any

import torch

from srlab_course.feedback.checks import say
from srlab_course.feedback.exercise import TODO
from srlab_course.feedback.seeding import seeded
from srlab_course.workshops.our_tests import show
from srlab_course.workshops.runner import Result, folder, observe

RUNGS = range(1, 8)


def climb(mine: Any, rungs: Collection[int] = RUNGS) -> None:
    """Run the tests of the ladder in this process, and print a line per rung, up to the first that fails.

    Parameters
    ----------
    mine
        Module with the functions of the workshops, or any object that has some of them as attributes.
    rungs
        Numbers of the rungs to climb; by default all seven.
    """
    module = ModuleType("mine")
    module.__dict__.update({name: one for name, one in vars(mine).items() if one is not TODO})
    for number in rungs:
        result = _climb_one(module, number)
        rung = " ".join(result.name.split("_")[2:])
        if result.outcome == "failed":
            show([result])
            return
        say("to do" if result.outcome == "skipped" else "passed", f"{rung}: {result.message}".removesuffix(": "))


def _climb_one(module: ModuleType, number: int) -> Result:
    """Return the result of the test of a rung; random numbers of this process stay as they are."""
    results = []

    def report(kind: str, content: Any) -> None:
        if kind == "result":
            results.append(Result(**content))

    with seeded(0), torch.enable_grad():
        observe(folder() / "test_ladder.py", f"ladder_{number}", module, folder() / "conftest.py", report)
    return results[0]
