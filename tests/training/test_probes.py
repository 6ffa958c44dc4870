"""srlab.training.probes: each silent mistake shows in its number, and the network that is looked at stays as it was."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.base.errors import SrlabError
from srlab.models import CodedSRResNet, MSRResNet, RRDBNet, SRResNet
from srlab.models.features import FeatureExtractor
from srlab.training import probes


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
        probes.dead_units(network, batch)
        assert network.training == mode
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize(("normalize", "mean", "deviation"), [(True, 0.0, 1.0), (False, 0.45, 0.25)])
def test_the_input_of_the_first_convolution_tells_whether_images_were_normalised(normalize, mean, deviation, astronaut):
    found = probes.input_statistics(FeatureExtractor("vgg16 relu1_1", "random", normalize), astronaut[..., :256, :256])
    assert found == pytest.approx((mean, deviation), abs=0.35 * deviation)


def test_a_network_without_a_convolution_is_refused(batch):
    with pytest.raises(SrlabError, match="No convolution of Identity"):
        probes.input_statistics(nn.Identity(), batch)


def kill(conv, channels):
    """Push channels so far below zero that a ReLU answers zero everywhere."""
    with torch.no_grad():
        conv.weight[:channels] = 0
        conv.bias[:channels] = -1


def test_dead_units_are_those_that_no_pixel_of_any_image_wakes(batch):
    conv = nn.Conv2d(3, 4, 1)
    with torch.no_grad():
        conv.weight.zero_()
        conv.bias.copy_(torch.tensor([-1.0, 0.0, 1.0, -1.0]))
        conv.weight[3, 0] = 1.0
    batch[:, 0] = 0.5
    network = nn.Sequential(conv, nn.ReLU())
    assert probes.dead_units(network, batch) == 0.75
    batch[5, 0, 3, 3] = 2.0  # one pixel of one image
    assert probes.dead_units(network, batch) == 0.5


@pytest.mark.parametrize("relu", [F.relu, torch.relu, torch.Tensor.relu_, nn.ReLU(inplace=True)])
def test_dead_units_are_found_behind_each_kind_of_relu_and_before_what_writes_over_it(relu, batch):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, x):
            return relu(self.conv(x)).add_(1)

    network = Network()
    network.conv.weight.data.abs_()
    network.conv.bias.data.zero_()
    assert probes.dead_units(network, batch) == 0
    kill(network.conv, 6)
    assert probes.dead_units(network, batch) == 0.75


def test_dead_units_are_a_share_of_all_relus_of_a_network(batch):
    torch.manual_seed(0)
    network = MSRResNet(2, 8)
    assert probes.dead_units(network, batch) < 0.3
    kill(network.blocks[0].conv1, 8)
    kill(network.blocks[1].conv1, 4)
    assert probes.dead_units(network, batch) == 0.75


@pytest.mark.parametrize("kind", [SRResNet, CodedSRResNet, RRDBNet])
def test_without_relu_there_are_no_dead_units(kind, batch):
    network = kind(1, 4)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    assert probes.dead_units(network, batch) == 0


def test_dead_units_need_no_gradient_and_draw_no_random_number(batch):
    network, state = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(), nn.ReLU()), torch.get_rng_state()
    seen = []
    handle = network.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    probes.dead_units(network, batch)
    handle.remove()
    assert seen == [False]
    assert torch.equal(state, torch.get_rng_state())
