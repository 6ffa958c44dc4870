"""Tests of `validate` after two rounds: they accept all right designs and catch all broken ones."""

import pytest
import torch
from mine import psnr, validate
from torch import nn


class Fourfold(nn.Module):
    """Multiply by a weight, normalize and repeat pixels: a network whose mode and weights matter."""

    modes = []  # of the class, because `validate` may use a copy

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)

    def forward(self, lr):
        self.modes.append({layer.training for layer in self.modules()})
        sr = self.scale * self.drop(self.norm(lr)).repeat_interleave(4, 2).repeat_interleave(4, 3)
        return 0.5 + 0.1 * sr.tanh()  # inside [0, 1], so that a clamp changes nothing


def pairs():
    """Return two pairs whose scores differ by 0.8 dB, so that a test notices if one is left out."""
    random = torch.Generator().manual_seed(0)
    lr = [torch.rand(1, 3, side, side, generator=random) for side in (8, 12)]
    hr = [0.5 * torch.rand(1, 3, 32, 32, generator=random), torch.rand(1, 3, 48, 48, generator=random)]
    return list(zip(lr, hr, strict=True))


def test_validate_is_the_mean_of_scores():
    """The score is the mean of psnr(sr, hr, 4) over the pairs, in eval mode.

    With batch norm or dropout, a network computes something else in training mode. Nothing is rounded.
    """
    network = Fourfold().eval()
    with torch.no_grad():
        scores = [float(psnr(network(lr), hr, 4)) for lr, hr in pairs()]
    assert float(validate(network.train(), pairs())) == pytest.approx(sum(scores) / 2, abs=1e-3)


def test_validate_counts_photos_equally():
    """Each photo counts the same: the mean is one of decibels, not of errors.

    A mean of squared errors is nearly that of the hardest photo alone. Which mean do you take?
    """
    easy, hard = torch.full((1, 3, 32, 32), 0.51), torch.full((1, 3, 32, 32), 0.9)
    network = nn.Upsample(scale_factor=4)
    gray = torch.full((1, 3, 8, 8), 0.5)
    score = float(validate(network, [(gray, easy), (gray, hard)]))
    assert score == pytest.approx((40 - 20 * torch.tensor(0.4).log10().item()) / 2, abs=0.01)


def test_validate_returns_a_number_without_graph():
    """It returns a number without a graph.

    A score with its graph keeps the network's activations in memory. Which block builds no graphs?
    """
    result = validate(Fourfold(), pairs())
    assert float(result) > 0
    assert not getattr(result, "requires_grad", False)


@pytest.mark.parametrize("training", [True, False])
def test_validate_scores_in_eval_mode_and_restores_all_modes(training):
    """The network runs in eval mode, and each of its layers has its mode back afterward.

    Remember generator.training, and restore it with train(mode). Does your way reach every layer?
    """
    network = Fourfold().train(training)
    Fourfold.modes.clear()
    validate(network, pairs())
    assert Fourfold.modes == [{False}, {False}]
    assert {layer.training for layer in network.modules()} == {training}


def test_validate_leaves_no_trace():
    """It leaves no trace: weights, statistics, gradients, requires_grad and random numbers are as before.

    Gradients belong to the training step. Do you clear some, freeze a weight, set a seed, or forbid graphs for good?
    """
    network = Fourfold()
    network.norm.requires_grad_(False)
    network.scale.grad = torch.tensor(7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    validate(network, pairs())
    assert torch.equal(torch.get_rng_state(), random)
    assert network.scale.grad == 7
    assert network.scale.requires_grad and not network.norm.weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.is_grad_enabled()
