"""Test srlab.models.wrappers, and that a wrapped network is trained, kept and exported like the network inside."""

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


def tail_compiled(network: nn.Module) -> nn.Module:
    network.blocks = compiled(network.blocks)
    return network


def small() -> MSRResNet:
    return MSRResNet(num_blocks=1, num_features=4)


@pytest.mark.parametrize(
    "wrap",
    [compiled, nn.DataParallel, AveragedModel, tail_compiled, lambda network: nn.DataParallel(compiled(network))],
    ids=["compile", "DataParallel", "AveragedModel", "compiled tail", "both"],
)
def test_network_inside_is_found(wrap):
    network = unwrapped(wrap(small()))
    assert isinstance(network, MSRResNet)
    assert network.state_dict().keys() == small().state_dict().keys()


def test_own_network_with_a_part_called_module_stays():
    network = nn.Sequential()
    network.add_module("head", nn.Linear(2, 2))
    own = type("Own", (nn.Module,), {})()
    own.module = network
    assert unwrapped(own) is own


def test_run_of_a_compiled_network_can_be_loaded():
    LittleRun("compiled", network=lambda: compiled(small())).fit(2)
    assert isinstance(load_generator(LAB, "compiled"), MSRResNet)


def test_compiled_network_is_exported_and_stays_compiled(tmp_path):
    network = compiled(RRDBNet(1, 16, 32))
    export(network, tmp_path / "net.safetensors")
    assert read_safetensors(tmp_path / "net.safetensors")[0].keys() == network._orig_mod.state_dict().keys()
    assert hasattr(network, "_orig_mod")
