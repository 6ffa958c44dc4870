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
    for network in (own, shared):
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None  # running statistics update at once
        network(batch)
    gap = probes.mode_gap(own, batch)
    assert probes.mode_gap(shared, batch) > 3 * gap
    assert probes.mode_gap(own, batch[:1, :, :3, :3]) > 3 * gap
    assert probes.mode_gap(MSRResNet(1, 8), batch) == 0


def test_input_statistics_and_network_that_stays(batch):
    network = SRResNet(1, 4)
    before = copy.deepcopy(network.state_dict())
    assert probes.input_statistics(network, batch) == pytest.approx((batch.mean(), batch.std()))
    probes.mode_gap(network, batch)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(layer._forward_pre_hooks for layer in network.modules())
