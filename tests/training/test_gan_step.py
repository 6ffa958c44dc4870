"""srlab.gan_step: who runs how often, and where gradients go."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch

import srlab
from srlab import losses, models
from srlab.training.gan import chances


def g_loss(sr, hr, look):
    return losses.generator_loss(look(sr), real=look(hr), kind="ragan")


class Scene:
    """Tiny networks, a step of ESRGAN, in which G's loss looks at both images, and a record of what it ran."""

    def __init__(self, d_rate=0.1, **options):
        torch.manual_seed(0)
        self.generator, self.discriminator = models.MSRResNet(1, 4), models.PatchDiscriminator(4)
        self.runs, self.seen = 0, []  # what D is shown, with its noise
        self.generator.register_forward_hook(lambda *_: setattr(self, "runs", self.runs + 1))
        self.discriminator.convolutions.register_forward_pre_hook(lambda _, given: self.seen.append(given[0].detach()))
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), d_rate)
        prepared = {"generator": self.generator, "discriminator": self.discriminator, "d_optimizer": self.d_optimizer}
        prepared["g_optimizer"] = torch.optim.SGD(self.generator.parameters(), 0.1)
        trainer = SimpleNamespace(prepared=prepared, backward=torch.Tensor.backward, gradient_norm=lambda of: of)
        batch = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)
        d_loss = partial(losses.discriminator_loss, kind="ragan")
        self.step = partial(srlab.gan_step, trainer, *batch, d_loss, g_loss, **options)


def test_the_generator_runs_once():
    scene = Scene()
    scene.step()
    assert scene.runs == 1


def test_the_generators_half_leaves_no_gradient_in_d_nor_ds_half_any_in_g():
    scene, after_d = Scene(), []

    def note(*_):
        assert all(parameter.grad is None for parameter in scene.generator.parameters())
        after_d.extend(parameter.grad.clone() for parameter in scene.discriminator.parameters())

    scene.d_optimizer.register_step_post_hook(note)
    scene.step()
    parameters = list(scene.discriminator.parameters())
    assert all(map(torch.equal, after_d, [parameter.grad for parameter in parameters]))
    assert all(parameter.requires_grad for parameter in parameters)


def test_the_generator_hears_the_d_that_has_just_learned():
    early, late = Scene(), Scene(d_rate=0.0)  # the second one's D stays as it was
    log, other = early.step(), late.step()
    assert log["d_loss"] == other["d_loss"]
    assert log["g_loss"] != other["g_loss"]
    assert (log["d_norm"], log["g_norm"]) == (early.discriminator, early.generator)


def test_without_g_turn_only_d_learns():
    scene = Scene(g_turn=False)
    networks = scene.generator, scene.discriminator
    before = [[p.clone() for p in network.parameters()] for network in networks]
    log = scene.step()
    stayed = [all(map(torch.equal, was, now.parameters())) for was, now in zip(before, networks, strict=True)]
    assert stayed == [True, False]
    assert "d_loss" in log
    assert "g_loss" not in log


def test_noise_is_on_all_that_d_sees_and_new_each_time():
    noisy, plain = Scene(noise=0.5), Scene()
    noisy.step()
    plain.step()
    pairs = zip(noisy.seen, plain.seen, strict=True)
    assert [one[:, :3].std() > 1.5 * other[:, :3].std() for one, other in pairs] == [True] * 4
    assert not torch.equal(noisy.seen[1], noisy.seen[2])


def test_running_statistics_of_g_move_once_and_those_of_d_in_its_own_half_alone():
    scene, of_g, of_d = Scene(), torch.nn.BatchNorm2d(4), torch.nn.BatchNorm2d(4)
    scene.generator.head = torch.nn.Sequential(scene.generator.head, of_g)
    scene.discriminator.convolutions.insert(1, of_d)
    scene.step()
    assert (int(of_g.num_batches_tracked), int(of_d.num_batches_tracked)) == (1, 2)  # D's: HR and SR


@pytest.mark.parametrize(
    ("relative", "of_real", "of_fake"), [(False, [2.0, 0.0], [-1.0, 0.0]), (True, [2.5, 0.5], [-2.0, -1.0])]
)
def test_chances_alone_and_relative(relative, of_real, of_fake):
    found = chances(torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [0.0]]), relative)
    assert found["d_real"].item() == pytest.approx(torch.tensor(of_real).sigmoid().mean().item())
    assert found["d_fake"].item() == pytest.approx(torch.tensor(of_fake).sigmoid().mean().item())
