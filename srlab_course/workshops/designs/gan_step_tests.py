"""Tests of `gan_step` after two rounds: they accept all right designs and catch all broken ones."""

import pytest
import torch
from mine import gan_step
from torch import nn


class OneWeight(nn.Module):
    """Multiply by one weight, and write down inputs and modes."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.inputs, self.modes = [], []

    def forward(self, x):
        self.inputs.append(x.detach().clone())
        self.modes.append(self.training)
        return self.weight * x


def d_loss(real, fake):
    return (fake - real).mean()


def g_loss(sr, hr, discriminator):
    return -discriminator(sr).mean()


LR, HR = torch.tensor([1.0]), torch.tensor([3.0])


def steps(count):
    """Take steps from v = 1 and w = 2 with a learning rate of 0.1; return G, D and the losses of each step."""
    g, d = OneWeight(1.0), OneWeight(2.0)
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (g, d)]
    return g, d, [gan_step(g, d, *optimizers, LR, HR, d_loss, g_loss) for _ in range(count)]


def test_gan_step_first_step_as_on_paper():
    g, d, _ = steps(1)
    assert d.weight.item() == pytest.approx(2.2)  # 2 - 0.1 (1 - 3)
    assert g.weight.item() == pytest.approx(1.22)  # 1 + 0.1 * 2.2


def test_gan_step_second_step_as_on_paper():
    g, d, _ = steps(2)
    assert d.weight.item() == pytest.approx(2.378)  # 2.2 - 0.1 (1.22 - 3)
    assert g.weight.item() == pytest.approx(1.4578)  # 1.22 + 0.1 * 2.378


def test_gan_step_returns_the_losses_of_before():
    _, _, [(of_d, of_g)] = steps(1)
    assert float(of_d) == pytest.approx(-4)  # 2 (1 - 3)
    assert float(of_g) == pytest.approx(-2.2)


def test_gan_step_returns_no_graph():
    _, _, [losses] = steps(1)
    assert not any(getattr(loss, "requires_grad", False) for loss in losses)


def test_gan_step_runs_in_training_mode():
    g, d, _ = steps(1)
    assert all(g.modes) and all(d.modes) and g.training and d.training


def test_gan_step_gives_d_both_images():
    _, d, _ = steps(1)
    assert {float(image) for image in d.inputs} == {1, 3}
