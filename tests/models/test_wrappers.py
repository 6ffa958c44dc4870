"""Test that a network in one of torch's wrappers is trained, kept and exported like the network inside."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from srlab.exporting import export
from srlab.models import MSRResNet, RRDBNet
from srlab.models.loading import load_generator
from srlab.models.wrappers import unwrapped
from srlab.tensor_files import read_safetensors
from tests.training.little_run import LAB, LittleRun


def compiled(network: nn.Module) -> nn.Module:
    return torch.compile(network, backend="eager")  # without a compiler


def partly_compiled(network: nn.Module) -> nn.Module:
    network.blocks = compiled(network.blocks)
    return network


@pytest.mark.parametrize("wrap", [lambda network: nn.DataParallel(compiled(network)), AveragedModel, partly_compiled])
def test_network_inside_is_found(wrap):
    network = MSRResNet(1, 4)
    names = network.state_dict().keys()
    assert unwrapped(wrap(network)).state_dict().keys() == names


def test_own_network_with_a_part_called_module_stays():
    own = type("Own", (nn.Module,), {})()
    own.module = nn.Linear(2, 2)
    assert unwrapped(own) is own


def test_compiled_network_is_trained_and_exported(tmp_path):
    LittleRun("compiled", network=lambda: compiled(MSRResNet(1, 4))).fit(2)
    assert isinstance(load_generator(LAB, "compiled"), MSRResNet)
    network = compiled(RRDBNet(1, 16, 32))
    export(network, tmp_path / "net.safetensors")
    assert read_safetensors(tmp_path / "net.safetensors")[0].keys() == network._orig_mod.state_dict().keys()
    assert hasattr(network, "_orig_mod"), "it stays compiled"
