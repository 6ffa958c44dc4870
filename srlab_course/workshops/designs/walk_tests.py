"""Tests of `walk` after two rounds: they accept all right designs and catch all broken ones."""

import pytest
import torch
from mine import walk
from torch import nn


class Velocity(nn.Module):
    """Return a velocity that is known on paper, and write down what each forward pass gets."""

    def __init__(self, velocity):
        super().__init__()
        self.velocity, self.calls = velocity, []
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x, t, lr):
        self.calls.append((x.detach().clone(), t.detach().clone(), lr))
        return self.weight * self.velocity(x, t.view(-1, 1, 1, 1))


LR = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def noise():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("steps", [1, 2, 20])
@pytest.mark.parametrize("velocity", [1.0, -5.0])
def test_walk_with_constant_velocity_moves_by_it(steps, velocity):
    """With a constant velocity, it ends where that leads in a time of 1, with any number of steps.

    Do the lengths of your steps sum to 1? Is x only changed by velocity times length?
    """
    end = walk(Velocity(lambda x, t: velocity + 0 * x), noise(), LR, steps)
    assert torch.allclose(end, noise() + velocity, atol=1e-4)


def test_walk_with_velocity_t_moves_by_a_half():
    """With the velocity t, it moves by a half.

    Is the time a share from 0 to 1, or the number of a step?
    """
    end = walk(Velocity(lambda x, t: t + 0 * x), noise(), LR, 100)
    assert torch.allclose(end, noise() + 0.5, atol=0.02)


@pytest.mark.parametrize("steps", [1, 4])
def test_walk_passes_the_time_of_the_place(steps):
    """Each forward pass gets lr, a place, and the time of this place, one per image; a step takes one or two.

    Begin at t = 0, and pass lr on. With the velocity 1, print x and t of each call: they have to be equal, also in
    the second call of a step.
    """
    flow = Velocity(lambda x, t: torch.ones_like(x))
    walk(flow, torch.zeros(2, 3, 32, 32), LR, steps)
    assert steps <= len(flow.calls) <= 2 * steps
    for x, t, lr in flow.calls:  # from 0 with velocity 1, the place is the time
        assert torch.equal(lr, LR)
        assert t.shape == (2,)
        assert torch.allclose(x, t.view(-1, 1, 1, 1).expand_as(x), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_walk_leaves_its_arguments_as_they_are(training):
    """It leaves the noise and the mode of the flow as they are.

    `x += ...` writes into the caller's tensor. Which line makes a new one? If you switch the mode, do you restore it?
    """
    start, flow = noise(), Velocity(lambda x, t: torch.ones_like(x)).train(training)
    walk(flow, start, LR, 3)
    assert torch.equal(start, noise())
    assert flow.training == training


def test_walk_builds_no_graph():
    """It builds no graph.

    Which block builds no graphs?
    """
    end = walk(Velocity(lambda x, t: torch.ones_like(x)), noise(), LR, 3)
    assert not end.requires_grad
