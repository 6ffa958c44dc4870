"""A student's own network trains under her code, and is saved so that later labs load it as srlab's."""

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
from srlab_course.lab.earlier.own_networks import with_known_names, with_sampler

Block, Tail, OwnFlow = (find(name).reference for name in ("srresnet.Block", "srresnet.Tail", "flow.FlowNet"))
LR, X, T = sample(2, 3, 6, 7), sample(2, 3, 24, 28, low=-2, high=2, seed=1), torch.tensor([0.2, 0.97])


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


def msrresnet(own):
    return with_known_names(own, num_blocks=2, num_features=4, scale=4)


def flow(own):
    return with_sampler(own, num_blocks=2, num_features=6, detail_std=0.1)


@pytest.mark.parametrize(
    ("make", "own", "inputs", "known"),
    [
        (msrresnet, lambda: Own(), (LR,), srlab.MSRResNet),
        (msrresnet, lambda: Own(Renamed), (LR,), srlab.MSRResNet),
        (flow, lambda: OwnFlow(2, 6), (LR, X, T), srlab.FlowNet),
    ],
    ids=["MSRResNet", "with other names", "FlowNet"],
)
def test_own_network_is_saved_as_that_of_srlab(make, own, inputs, known, home):
    torch.manual_seed(0)
    own = own()
    network = make(own)
    before = network(*inputs)
    assert torch.equal(before, own(*inputs))
    before.sum().backward()
    assert all(parameter.grad is not None for parameter in own.parameters())
    Run("my_lab", "own").save_generator(network, step=1)
    loaded = load_generator("my_lab", "own")
    assert type(loaded) is known
    assert type(network).__name__ == known.__name__
    with torch.no_grad():
        assert torch.allclose(loaded(*inputs), before, atol=1e-4)
        assert torch.allclose(loaded(LR), network(LR), atol=1e-4)
        average = copy.deepcopy(network)  # has weights of its own
        for parameter in average.parameters():
            parameter.zero_()
        assert torch.equal(network(*inputs), before)
        assert not torch.allclose(average(*inputs), before)


@pytest.mark.parametrize("own", [Own(find("srresnet.ResidualBlock").reference), Own(factors=(4,)), Own(slope=0.3)])
def test_other_network_is_left_alone(own, capsys):
    assert msrresnet(own.eval()) is own
    assert "later labs start from the bundled network" in capsys.readouterr().out


def test_weights_of_package_load_by_name():
    known, own = srlab.FlowNet(2, 6), OwnFlow(2, 6)
    own.load_state_dict(known.state_dict())
    assert torch.allclose(own(LR, X, T), known(LR, X, T), atol=1e-4)
