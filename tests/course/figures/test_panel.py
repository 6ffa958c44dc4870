"""Test the instrument panel: what it measures around a step, and that it leaves no trace."""

import math

import pytest
import torch
from torch import nn

from srlab_course.figures.panel import Panel


def test_panel_measures_update_ratio_dead_features_and_outputs():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    network[0].bias.data = torch.tensor([-100.0, -100, -100, 5])  # three of four features are dead
    before, panel = network[2].weight.detach().clone(), Panel(network)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)

    def step():
        loss = network(torch.ones(2, 3, 8, 8)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    assert panel.measure(step) > 0
    (row,) = panel.rows
    ratio = (network[2].weight.detach() - before).norm() / before.norm()
    assert row["2"]["ratio"] == pytest.approx(math.log10(ratio))
    assert (row["0"]["dead"], row["2"]["dead"]) == (0.75, 0)
    assert row["0"]["std"] > 40 > row["2"]["std"]
    assert not any(layer._forward_hooks for layer in network.modules())
    with torch.no_grad():
        panel.measure(lambda: network(torch.ones(1, 3, 8, 8)))
    assert panel.rows[1]["2"] | {"std": 0} == {"ratio": -9, "dead": 1, "std": 0}, "no gradient, and no change"
