"""A student's FlowNet trains under her code, and is saved so that later labs load it."""

import copy

import torch

import srlab
from srlab.models.loading import load_generator
from srlab.training.runs import Run
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import sample
from srlab_course.lab.earlier.own_flow import with_sampler

Own = find("flow.FlowNet").reference
LR, X, T = sample(2, 3, 6, 7), sample(2, 3, 24, 28, low=-2, high=2, seed=1), torch.tensor([0.2, 0.97])


def test_own_flow_is_saved_under_known_names(home):
    torch.manual_seed(0)
    own = Own(2, 6)
    network = with_sampler(own, num_blocks=2, num_features=6, detail_std=0.1)
    network.steps = 2
    assert type(network).__name__ == "FlowNet"
    assert torch.equal(network(LR, X, T), own(LR, X, T))
    network(LR, X, T).sum().backward()
    assert all(parameter.grad is not None for parameter in own.parameters())
    Run("06_flow", "own").save_generator(network, step=1)
    loaded = load_generator("06_flow", "own")
    loaded.steps = 2
    assert type(loaded) is srlab.FlowNet
    with torch.no_grad():
        assert torch.allclose(loaded(LR, X, T), own(LR, X, T), atol=1e-4)
        assert torch.allclose(loaded(LR), network(LR), atol=1e-4)


def test_copy_has_weights_of_its_own():
    network = with_sampler(Own(1, 6), num_blocks=1, num_features=6, detail_std=0.1)
    average = copy.deepcopy(network)
    before = network(LR, X, T)
    for parameter in average.parameters():
        parameter.data.zero_()
    assert torch.equal(network(LR, X, T), before)
    assert not torch.allclose(average(LR, X, T), before)


def test_weights_of_package_load_by_name():
    known, own = srlab.FlowNet(2, 6), Own(2, 6)
    own.load_state_dict(known.state_dict())
    assert torch.allclose(own(LR, X, T), known(LR, X, T), atol=1e-4)
