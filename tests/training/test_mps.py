"""Test training and upscaling on a device without float64, such as a Mac's GPU. Here the CPU plays that device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srlab import devices
from srlab.data import resampling
from srlab.data.patch_sampler import PatchSampler
from srlab.tiling import upscale

from .little_run import LittleRun
from .test_gpu import BLIND, FlowOnGpu, GanOnGpu


class NoFloat64(TorchDispatchMode):
    """Raise for every operation that returns float64, except in functions that compute on the CPU anyway."""

    def __init__(self):
        super().__init__()
        self.on_cpu = False

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        result = function(*arguments, **settings or {})
        doubles = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor) and x.dtype == torch.float64]
        assert self.on_cpu or not doubles, f"{function} returns float64"
        return result

    def allow(self, function):
        def allowed(*arguments):
            self.on_cpu = True
            result = function(*arguments)
            self.on_cpu = False
            return result

        return allowed


@pytest.fixture
def no_float64(monkeypatch):
    mode = NoFloat64()
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", ("cpu",))
    monkeypatch.setattr(resampling, "_bands", mode.allow(resampling._bands.__wrapped__))
    monkeypatch.setattr(PatchSampler, "_draw_windows", mode.allow(PatchSampler._draw_windows))
    return mode


@pytest.mark.parametrize("kind", [LittleRun, GanOnGpu, FlowOnGpu])
def test_training_needs_no_float64(kind, no_float64):
    little = kind(device="cpu", sampler={"device": "cpu", "degradation": BLIND})
    with no_float64:
        little.fit()
    assert little.run.manifest()["status"] == "finished"


def test_upscaling_needs_no_float64(no_float64):
    little = LittleRun()
    with no_float64, pytest.raises(AssertionError, match="returns float64"):
        torch.zeros(2).double()
    with no_float64:
        assert upscale(little.network, torch.rand(3, 40, 36), tile=16).dtype == torch.float32
