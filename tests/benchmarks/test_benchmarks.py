"""The benchmarks: both ways of a step, whose times are compared, compute the same."""

import importlib
import itertools
import sys
from dataclasses import replace

import pytest
import torch

from tests.conftest import ROOT

pytestmark = pytest.mark.nightly

sys.path.insert(0, str(ROOT / "benchmarks"))  # scripts, and no package
steps, ways = map(importlib.import_module, ("steps", "ways"))
CPU = torch.device("cpu")


@pytest.mark.parametrize("name", steps.TASKS)
def test_all_ways_compute_the_same(name):
    task = steps.resized(steps.TASKS[name], batch=2, patch=32, blocks=1, features=4)
    task = replace(task, layers="vgg19 relu2_1" if task.layers else "")
    batch = next(ways.batches_of(task, steps.LABS, None, CPU))
    plain, networks = ways.hand_written(task, steps.PLAIN, itertools.repeat(batch), CPU)
    by_hand, _ = ways.hand_written(task, replace(steps.LABS, bf16=False), itertools.repeat(batch), CPU)
    _, step = ways.trainer_step(task, CPU, name, "no")
    start = steps.build(task)["generator"].state_dict()
    assert all(torch.equal(value, start[key]) for key, value in networks["generator"].state_dict().items())
    for tolerance in (1e-4, 0.1):  # the first update of Adam keeps the sign of a gradient alone, so rounding grows
        expected = plain()
        for way, found in {"by hand": by_hand(), "Trainer": step(*batch)}.items():
            for loss, value in expected.items():
                assert found[loss].item() == pytest.approx(value.item(), rel=tolerance), f"{loss}, {way}"
