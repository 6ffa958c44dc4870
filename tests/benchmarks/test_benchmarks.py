"""Test that the steps compared in the benchmarks compute the same."""

import importlib
import itertools
import sys
from dataclasses import replace
from unittest import mock

import pytest
import torch

from srlab.training import cuda_graph
from tests.conftest import ROOT
from tests.training.fake_cuda import FakeCuda

sys.path.insert(0, str(ROOT / "benchmarks"))  # these are scripts, not a package
steps, ways = map(importlib.import_module, ("steps", "ways"))
CPU = torch.device("cpu")
TINY = {"batch": 2, "patch": 32, "num_blocks": 2, "num_features": 4}


@pytest.mark.parametrize("task", [steps.SRRESNET, steps.FLOW])
def test_recorded_steps_are_timed(task, monkeypatch):
    FakeCuda(monkeypatch)
    turns = ways.timed_fit(steps.resized(task, **TINY), 4, CPU, "recorded", "graph")
    assert all(next(turns) > 0 for _ in range(2))


def test_step_that_is_not_recorded_is_not_in_the_table(monkeypatch):
    FakeCuda(monkeypatch)
    monkeypatch.setattr(cuda_graph.RecordedStep, "_capture", mock.Mock(side_effect=cuda_graph.NotRecordable("a test")))
    with pytest.raises(RuntimeError, match="was not recorded"):
        next(ways.timed_fit(steps.resized(steps.SRRESNET, **TINY), 4, CPU, "refused", "graph"))


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
