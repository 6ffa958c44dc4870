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
        self.inputs, self.modes, self.graphs = [], [], []

    def forward(self, x):
        self.inputs.append(x.detach().clone())
        self.modes.append(self.training)
        self.graphs.append(torch.is_grad_enabled())
        return self.weight * x


def d_loss(real, fake):
    return (fake - real).mean()


def g_loss(sr, hr, discriminator):
    return -discriminator(sr).mean()


LR, HR = torch.tensor([1.0]), torch.tensor([3.0])


def steps(count, d_loss=d_loss, g_loss=g_loss):
    """Take steps from v = 1 and w = 2 with a learning rate of 0.1; return G, D and the losses of each step."""
    g, d = OneWeight(1.0), OneWeight(2.0)
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (g, d)]
    return g, d, [gan_step(g, d, *optimizers, LR, HR, d_loss, g_loss) for _ in range(count)]


def test_gan_step_first_step_as_on_paper():
    """D takes its step first, and G learns from the updated D.

    Each half is zero_grad, backward and one optimizer's step. In D's half, SR is data. In G's half, g_loss runs D
    again, and its gradient goes through D's output into G. Which of these lines is missing, or in the wrong half?
    """
    g, d, _ = steps(1)
    assert d.weight.item() == pytest.approx(2.2)  # 2 - 0.1 (1 - 3)
    assert g.weight.item() == pytest.approx(1.22)  # 1 + 0.1 * 2.2


def test_gan_step_second_step_as_on_paper():
    """Nothing is left over: the second step doesn't notice the first.

    backward adds to .grad, and G's backward fills the .grad of D, too. When do you clear which? If you freeze D, where
    do you thaw it?
    """
    g, d, _ = steps(2)
    assert d.weight.item() == pytest.approx(2.378)  # 2.2 - 0.1 (1.22 - 3)
    assert g.weight.item() == pytest.approx(1.4578)  # 1.22 + 0.1 * 2.378


def test_gan_step_returns_the_losses_of_before():
    """It returns D's loss and G's, each from before the update that it causes.

    Which comes first, and do you compute one of them again after a step?
    """
    _, _, [(of_d, of_g)] = steps(1)
    assert float(of_d) == pytest.approx(-4)  # 2 (1 - 3)
    assert float(of_g) == pytest.approx(-2.2)


def test_gan_step_returns_no_graph():
    """Both are numbers without a graph.

    A loss with its graph keeps all activations of the step in memory. What does loss.item() return?
    """
    _, _, [losses] = steps(1)
    assert not any(getattr(loss, "requires_grad", False) for loss in losses)


def test_gan_step_runs_in_training_mode():
    """Both networks arrive in training mode, run in it and stay in it.

    Where do you call eval()?
    """
    g, d, _ = steps(1)
    assert all(g.modes) and all(d.modes) and g.training and d.training


def test_gan_step_calls_d_loss_once_with_both_logits():
    """d_loss, the one that the step gets, is called once, with D's logits for HR and for SR as they are.

    A relativistic loss compares the two, so it can't be called for each. Do you clamp an image?
    """
    given = []
    _, d, _ = steps(1, lambda real, fake: given.append((real.item(), fake.item())) or d_loss(real, fake))
    assert given == [(6.0, 2.0)]  # 2 * 3 and 2 * 1
    assert set(torch.cat(d.inputs).tolist()) == {1, 3}


def test_gan_step_passes_sr_and_hr_to_g_loss():
    """g_loss, the one that the step gets, compares SR with HR.

    Most losses of G add a pixel loss, which is 0 if both images are the same. Which two do you pass?
    """
    given = []
    steps(1, g_loss=lambda sr, hr, d: given.append((sr.item(), hr.item())) or g_loss(sr, hr, d))
    assert given == [(1.0, 3.0)]


def test_gan_step_builds_one_graph_of_g():
    """G builds one graph per step, its most expensive part.

    If D's half runs G a second time, does it do so under no_grad?
    """
    g, _, _ = steps(1)
    assert 1 <= len(g.modes) <= 2
    assert g.graphs.count(True) == 1
