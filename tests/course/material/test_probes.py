"""Test srlab_course.material.probes: each silent mistake shows in its metric, and the network is not changed."""

import copy

import pytest
import torch
from torch import nn

from srlab.models import MSRResNet, SRResNet
from srlab_course.material import probes
from studies.content_loss.as_coded import CodedSRResNet


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.rand(8, 3, 12, 12)


def test_mode_gap_of_shared_batch_norm_and_small_batch(batch):
    own, shared = SRResNet(2, 8), CodedSRResNet(2, 8)
    for layer in (*own.modules(), *shared.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # running statistics update at once
    with torch.no_grad():
        own(batch)
        shared(batch)
    gap = probes.mode_gap(own, batch)
    assert probes.mode_gap(shared, batch) > 3 * gap
    assert probes.mode_gap(own, batch[:1, :, :3, :3]) > 3 * gap
    assert probes.mode_gap(MSRResNet(1, 8), batch) == 0


def test_input_statistics_are_those_of_the_first_convolution(batch):
    assert probes.input_statistics(SRResNet(1, 4), batch) == pytest.approx((batch.mean(), batch.std()))


def test_probes_do_not_change_network(batch):
    network = SRResNet(1, 4)
    before, random = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    for probe in (probes.mode_gap, probes.input_statistics):
        probe(network, batch)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in network.modules())
    assert torch.equal(random, torch.get_rng_state())
