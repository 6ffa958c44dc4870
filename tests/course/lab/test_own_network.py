"""A student's MSRResNet trains under her code, and is saved so that later labs load it."""

import copy

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

import srlab
from srlab.models.loading import load_generator
from srlab.training.runs import Run
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import sample
from srlab_course.lab.earlier.own_network import step_for, with_known_names

Block, Tail = (find(f"srresnet.{name}").reference for name in ("Block", "Tail"))
LR = sample(1, 3, 6, 7)


class Renamed(nn.Module):
    """A block whose layers have other names, in another order."""

    def __init__(self, features):
        super().__init__()
        self.later = nn.Conv2d(features, features, 3, padding=1)
        self.earlier = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x):
        return x + self.later(F.relu(self.earlier(x)))


class Own(nn.Module):
    def __init__(self, block=Block, factors=(2, 2), slope=0.1):
        super().__init__()
        self.slope = slope
        self.tail = Tail(4, factors)
        self.blocks = nn.Sequential(block(4), block(4))
        self.head = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, lr):
        return self.tail(self.blocks(F.leaky_relu(self.head(lr), self.slope)), lr)


@pytest.mark.parametrize("block", [Block, Renamed])
def test_own_network_is_saved_under_known_names(block, home):
    own = Own(block)
    network = with_known_names(own, num_blocks=2, num_features=4, scale=4)
    assert type(network).__name__ == "MSRResNet"
    assert torch.equal(network(LR), own(LR))
    network(LR).sum().backward()
    assert all(parameter.grad is not None for parameter in own.parameters())
    Run("01_srresnet", "own").save_generator(network, step=1)
    loaded = load_generator("01_srresnet", "own")
    assert type(loaded) is srlab.MSRResNet
    assert torch.allclose(loaded(LR), own(LR), atol=1e-6)


def test_copy_has_weights_of_its_own():
    network = with_known_names(Own(), num_blocks=2, num_features=4, scale=4)
    average = copy.deepcopy(network)
    before = network(LR)
    for parameter in average.parameters():
        parameter.data.zero_()
    assert torch.equal(network(LR), before)
    assert torch.allclose(average(LR), F.interpolate(LR, scale_factor=4, mode="bilinear"))


@pytest.mark.parametrize("own", [Own(find("srresnet.ResidualBlock").reference), Own(factors=(4,)), Own(slope=0.3)])
def test_other_network_is_left_alone(own, capsys):
    assert with_known_names(own.eval(), num_blocks=2, num_features=4, scale=4) is own
    assert "later labs start from the bundled network" in capsys.readouterr().out


def test_step_for_another_loss(home):
    trainer = srlab.Trainer("01_srresnet", "own", device="cpu", precision="fp32")
    network = Own()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    hr = sample(1, 3, 24, 28, seed=1)
    train_step = step_for(trainer, F.l1_loss)
    first, second = (train_step(network, optimizer, LR, hr) for _ in range(2))
    assert second < first
    assert not first.requires_grad
