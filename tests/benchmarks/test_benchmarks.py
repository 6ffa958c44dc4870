"""Test that the steps compared in the benchmarks compute the same."""

import importlib
import itertools
import sys
from dataclasses import replace

import pytest
import torch

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))  # these are scripts, not a package
steps, ways = map(importlib.import_module, ("steps", "ways"))
CPU = torch.device("cpu")


@pytest.mark.nightly
@pytest.mark.parametrize("name", steps.TASKS)
def test_plain_step_matches_labs_step(name):
    task = steps.resized(steps.TASKS[name], batch=2, patch=32, num_blocks=1, num_features=4)
    task = replace(task, layers="vgg19 relu2_1" if task.layers else "")
    batch = next(ways.sampled(task, CPU))
    plain, networks = ways.plain_loop(task, itertools.repeat(batch), CPU)
    _, step = ways.trainer_step(task, CPU, name, "fp32")
    start = steps.build(task)["generator"].state_dict()
    assert all(torch.equal(value, start[key]) for key, value in networks["generator"].state_dict().items())
    for tolerance in (1e-4, 0.1):  # the first update of Adam keeps only the sign of a gradient, so rounding grows
        expected, found = plain(), step(*batch)
        for loss, value in expected.items():
            assert found[loss].item() == pytest.approx(value.item(), rel=tolerance), loss
