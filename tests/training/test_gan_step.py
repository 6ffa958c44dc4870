"""Test srlab.gan_step: how often networks run, and where gradients go."""

from functools import partial

import pytest
import torch

import srlab
from srlab import losses, models
from srlab.training.gan import chances


def g_loss(sr, hr, discriminator):
    return losses.generator_loss(discriminator(hr), discriminator(sr), "ragan")


def update(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return optimizer


class Scene:
    """Run an ESRGAN step with tiny networks, where G's loss uses both images, and record the calls."""

    def __init__(self, d_rate=0.1, noise=0.0, **options):
        torch.manual_seed(0)
        self.generator, self.discriminator = models.MSRResNet(1, 4), models.PatchDiscriminator(4)
        self.runs, self.seen = 0, []  # D's input with noise
        self.generator.register_forward_hook(lambda *_: setattr(self, "runs", self.runs + 1))
        self.discriminator.convolutions.register_forward_pre_hook(lambda _, given: self.seen.append(given[0].detach()))
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), d_rate)
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), 0.1)
        players = self.generator, models.WithNoise(self.discriminator, noise), self.g_optimizer, self.d_optimizer
        batch = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)
        d_loss = partial(losses.discriminator_loss, kind="ragan")
        self.step = partial(srlab.gan_step, *players, *batch, d_loss, g_loss, update, **options)


def test_generator_runs_once_per_step():
    scene = Scene()
    scene.step()
    assert scene.runs == 1


def test_g_and_d_updates_leave_no_gradient_in_each_other():
    scene, after_d = Scene(), []

    def note(*_):
        assert all(parameter.grad is None for parameter in scene.generator.parameters())
        after_d.extend(parameter.grad.clone() for parameter in scene.discriminator.parameters())

    scene.d_optimizer.register_step_post_hook(note)
    scene.step()
    parameters = list(scene.discriminator.parameters())
    assert all(map(torch.equal, after_d, [parameter.grad for parameter in parameters]))
    assert all(parameter.requires_grad for parameter in parameters)


def test_g_loss_uses_updated_d():
    early, late = Scene(), Scene(d_rate=0.0)  # the second D must not change
    log, other = early.step(), late.step()
    assert log["d_loss"] == other["d_loss"]
    assert log["g_loss"] != other["g_loss"]
    assert (log["d_norm"], log["g_norm"]) == (early.d_optimizer, early.g_optimizer)


def test_only_d_learns_without_g_turn():
    scene = Scene(g_turn=False)
    networks = scene.generator, scene.discriminator
    before = [[p.clone() for p in network.parameters()] for network in networks]
    log = scene.step()
    stayed = [all(map(torch.equal, was, now.parameters())) for was, now in zip(before, networks, strict=True)]
    assert stayed == [True, False]
    assert "d_loss" in log
    assert "g_loss" not in log


def test_instance_noise_is_fresh_on_all_d_inputs():
    noisy, plain = Scene(noise=0.5), Scene()
    noisy.step()
    plain.step()
    pairs = zip(noisy.seen, plain.seen, strict=True)
    assert [one[:, :3].std() > 1.5 * other[:, :3].std() for one, other in pairs] == [True] * 4
    assert not torch.equal(noisy.seen[1], noisy.seen[2])


def test_running_statistics_update_once_in_g_and_only_in_d_update():
    scene, of_g, of_d = Scene(), torch.nn.BatchNorm2d(4), torch.nn.BatchNorm2d(4)
    scene.generator.head = torch.nn.Sequential(scene.generator.head, of_g)
    scene.discriminator.convolutions.insert(1, of_d)
    scene.step()
    assert (int(of_g.num_batches_tracked), int(of_d.num_batches_tracked)) == (1, 2)  # D's batch statistics: HR and SR


@pytest.mark.parametrize(
    ("relative", "of_real", "of_fake"), [(False, [2.0, 0.0], [-1.0, 0.0]), (True, [2.5, 0.5], [-2.0, -1.0])]
)
def test_d_outputs_standard_and_relativistic(relative, of_real, of_fake):
    found = chances(torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [0.0]]), relative)
    assert found["d_real"].item() == pytest.approx(torch.tensor(of_real).sigmoid().mean().item())
    assert found["d_fake"].item() == pytest.approx(torch.tensor(of_fake).sigmoid().mean().item())
