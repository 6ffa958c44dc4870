"""srlab.gan_step: who runs how often, and where gradients go."""

from functools import partial

import pytest
import torch

import srlab
from srlab import losses, models
from srlab.training.gan import chances


class Trainer:
    def __init__(self, **prepared):
        self.prepared = prepared

    def backward(self, loss):
        loss.backward()

    def gradient_norm(self, network):
        return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


def gradients(network):
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def adversary(sr, hr, look):
    return losses.generator_loss(look(sr))


def average(sr, hr, look):
    return losses.generator_loss(look(sr), real=look(hr), kind="relativistic average")


KINDS = {"SRGAN": ("vanilla", adversary), "ESRGAN": ("relativistic average", average)}
each_kind = pytest.mark.parametrize("kind", KINDS)


class Scene:
    """Tiny networks, a step of one kind, and a record of what it ran."""

    def __init__(self, kind="SRGAN", d_rate=0.1, **options):
        torch.manual_seed(0)
        self.generator, self.discriminator = models.MSRResNet(1, 4), models.PatchDiscriminator(4)
        self.runs, self.seen = 0, []  # what D is shown, with its noise
        self.generator.register_forward_hook(lambda *_: setattr(self, "runs", self.runs + 1))
        self.discriminator.convolutions.register_forward_pre_hook(lambda _, given: self.seen.append(given[0].detach()))
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), 0.1)
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), d_rate)
        name, g_loss = KINDS[kind]
        players = {"generator": self.generator, "discriminator": self.discriminator}
        players |= {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        goals = {"d_loss": partial(losses.discriminator_loss, kind=name), "g_loss": g_loss}
        batch = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)
        self.step = partial(srlab.gan_step, Trainer(**players), *batch, **goals | options)


@each_kind
def test_the_generator_runs_once(kind):
    scene = Scene(kind)
    scene.step()
    assert scene.runs == 1


@each_kind
def test_the_generators_half_leaves_no_gradient_in_d_nor_ds_half_any_in_g(kind):
    scene, of_d, of_g = Scene(kind), [], []
    scene.d_optimizer.register_step_post_hook(lambda *_: of_d.append(gradients(scene.discriminator)))
    scene.d_optimizer.register_step_post_hook(lambda *_: of_g.append(gradients(scene.generator)))
    scene.step()
    assert all(map(torch.equal, of_d[0], gradients(scene.discriminator)))
    assert all(gradient is None for gradient in of_g[0])
    assert all(parameter.requires_grad for parameter in scene.discriminator.parameters())


@each_kind
def test_the_generator_hears_the_d_that_has_just_learned(kind):
    early, late = Scene(kind), Scene(kind, d_rate=0.0)  # the second one's D stays as it was
    logs = [scene.step() for scene in (early, late)]
    assert logs[0]["d_loss"] == logs[1]["d_loss"]
    assert logs[0]["g_loss"] != logs[1]["g_loss"]
    assert logs[0]["g_norm"] > 0


def test_without_its_turn_the_generator_stays_and_d_learns():
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
    for scene in (noisy, plain):
        scene.step()
    pairs = zip(noisy.seen, plain.seen, strict=True)
    assert [one[:, :3].std() > 1.5 * other[:, :3].std() for one, other in pairs] == [True] * 3
    assert not torch.equal(noisy.seen[1], noisy.seen[2])


@each_kind
def test_running_statistics_of_g_move_once_and_those_of_d_in_its_own_half_alone(kind):
    scene, of_g, of_d = Scene(kind), torch.nn.BatchNorm2d(4), torch.nn.BatchNorm2d(4)
    scene.generator.head = torch.nn.Sequential(scene.generator.head, of_g)
    scene.discriminator.convolutions.insert(1, of_d)
    scene.step()
    assert int(of_g.num_batches_tracked) == 1
    assert int(of_d.num_batches_tracked) == 2  # HR and SR


def test_the_chances_of_each_alone_and_against_the_mean_of_the_other_kind():
    real, fake = torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [0.0]])
    for relative, of_real, of_fake in ((False, [2.0, 0.0], [-1.0, 0.0]), (True, [2.5, 0.5], [-2.0, -1.0])):
        said = chances(real, fake, relative)
        assert said["d_real"].item() == pytest.approx(torch.tensor(of_real).sigmoid().mean().item())
        assert said["d_fake"].item() == pytest.approx(torch.tensor(of_fake).sigmoid().mean().item())
