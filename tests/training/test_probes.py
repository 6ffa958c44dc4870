"""srlab.training.probes: each silent mistake shows in its number, and the network that is looked at stays as it was."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.models import CodedSRResNet, MSRResNet, SRResNet
from srlab.training import probes


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.rand(8, 3, 12, 12)


def test_a_batch_norm_that_serves_twice_and_a_small_batch_set_training_and_use_apart(batch):
    own, shared = SRResNet(2, 8), CodedSRResNet(2, 8)
    for layer in (*own.modules(), *shared.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # running averages follow at once
    with torch.no_grad():
        own(batch)
        shared(batch)
    gap = probes.mode_gap(own, batch)
    assert probes.mode_gap(shared, batch) > 3 * gap
    assert probes.mode_gap(own, batch[:1, :, :3, :3]) > 3 * gap
    assert probes.mode_gap(MSRResNet(1, 8), batch) == 0


def test_the_network_that_is_looked_at_stays_as_it_was(batch):
    network = SRResNet(1, 4)
    before, random = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    for probe in (probes.mode_gap, probes.input_statistics, probes.dead_units):
        probe(network, batch)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in network.modules())
    assert torch.equal(random, torch.get_rng_state())


def kill(conv, channels):
    """Push channels so far below zero that a ReLU answers zero everywhere."""
    with torch.no_grad():
        conv.weight[:channels] = 0
        conv.bias[:channels] = -1


@pytest.mark.parametrize("relu", [F.relu, torch.Tensor.relu_, nn.ReLU(inplace=True)])
def test_dead_units_are_those_that_no_pixel_wakes_behind_each_kind_of_relu(relu, batch):
    class Activation(nn.Module):
        def forward(self, x):
            return relu(x).add_(1)  # which writes over what the ReLU gave

    conv = nn.Conv2d(3, 8, 1)
    network = nn.Sequential(conv, Activation())
    conv.weight.data.abs_()
    conv.bias.data.zero_()
    assert probes.dead_units(network, batch) == 0
    kill(conv, 6)
    conv.weight.data[0, 0] = 1.0
    assert probes.dead_units(network, batch) == 0.75
    batch[5, 0, 3, 3] = 2.0  # one pixel of one image
    assert probes.dead_units(network, batch) == 0.625


def test_dead_units_are_a_share_of_all_relus_of_a_network_and_other_activations_have_none(batch):
    network = MSRResNet(2, 8)
    assert probes.dead_units(network, batch) < 0.3
    kill(network.blocks[0].conv1, 8)
    kill(network.blocks[1].conv1, 4)
    assert probes.dead_units(network, batch) == 0.75
    assert probes.dead_units(nn.Sequential(nn.Conv2d(3, 4, 1), nn.PReLU()), batch) == 0
