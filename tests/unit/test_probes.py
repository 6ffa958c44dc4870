"""srlab.probes: each silent mistake shows in its number, and the network that is looked at stays as it was."""

import copy

import pytest
import torch
from torch import nn

from srlab import probes
from srlab.errors import SrlabError
from srlab.features import Features
from srlab.models import CodedSRResNet, MSRResNet, SRResNet


@pytest.fixture
def batch():
    return torch.rand(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def settled(network, batch):
    """With running averages that had the time to follow."""
    with torch.no_grad():
        for _ in range(100):
            network.train()(batch)
    return network


def test_a_batch_norm_that_serves_twice_sets_training_and_use_apart(batch):
    torch.manual_seed(0)
    own, shared = (settled(network(2, 8), batch) for network in (SRResNet, CodedSRResNet))
    assert probes.mode_gap(shared, batch) > 3 * probes.mode_gap(own, batch)


def test_a_small_batch_sets_training_and_use_apart(batch):
    torch.manual_seed(0)
    network = settled(SRResNet(2, 8), batch)
    assert probes.mode_gap(network, batch[:1, :, :3, :3]) > 3 * probes.mode_gap(network, batch)


def test_without_batch_norm_there_is_no_gap(batch):
    assert probes.mode_gap(MSRResNet(1, 8), batch) == 0


def test_the_network_that_is_looked_at_stays_as_it_was(batch):
    for network in (SRResNet(1, 4).eval(), SRResNet(1, 4).train()):
        mode, before = network.training, copy.deepcopy(network.state_dict())
        probes.mode_gap(network, batch)
        probes.input_statistics(network, batch)
        assert network.training == mode
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        assert not any(layer._forward_pre_hooks for layer in network.modules())


@pytest.mark.parametrize(("normalize", "mean", "deviation"), [(True, 0.0, 1.0), (False, 0.45, 0.25)])
def test_the_input_of_the_first_convolution_tells_whether_images_were_normalised(normalize, mean, deviation, astronaut):
    found = probes.input_statistics(Features("vgg16 relu1_1", "random", normalize), astronaut[..., :256, :256])
    assert found == pytest.approx((mean, deviation), abs=0.35 * deviation)


def test_a_network_without_a_convolution_is_refused(batch):
    with pytest.raises(SrlabError, match="No convolution of Identity"):
        probes.input_statistics(nn.Identity(), batch)
