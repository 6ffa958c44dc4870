"""Test the GAN code shared by labs 03 and 04."""

import functools
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models
from srlab.paths import recipes
from srlab_course.feedback.all_exercises import find
from srlab_course.lab import gan_plumbing
from srlab_course.lab.recipes import read_book
from srlab_course.lab.setup import setup

WEIGHTS = {"pixel": 0.5, "content": 2.0, "adversary": 3.0}
SR, HR = torch.tensor([[0.5], [1.0]]), torch.tensor([[0.0], [2.0]])


def lab(**changes):
    return SimpleNamespace(**({"pixel": "l1", "label_real": 1.0, "label_flip": 0.0, "gan": "vanilla"} | changes))


def look(image):
    return 2 * image - 1


@pytest.mark.parametrize("kind", losses.ADVERSARIAL)
def test_losses_are_those_of_the_recipe(kind):
    d_loss, g_loss = gan_plumbing.losses_of(lab(gan=kind), WEIGHTS, F.mse_loss)
    real, fake = look(HR), look(SR)
    assert d_loss(real, fake) == losses.discriminator_loss(real, fake, kind)
    whole = 0.5 * 0.75 + 2 * 0.625 + 3 * losses.generator_loss(real, fake, kind)
    torch.testing.assert_close(g_loss(SR, HR, look), whole)
    if kind == "vanilla":
        smooth, _ = gan_plumbing.losses_of(lab(label_real=0.9), WEIGHTS, F.mse_loss)
        assert smooth(real, fake) == losses.discriminator_loss(real, fake, kind, (0.9, 0.0))


@pytest.mark.parametrize("left_out", ["content", "adversary"])
def test_loss_with_weight_0_is_not_computed(left_out):
    parts = {"content": F.mse_loss, "adversary": look} | {left_out: pytest.fail}
    _, g_loss = gan_plumbing.losses_of(lab(), WEIGHTS | {left_out: 0.0}, parts["content"])
    assert g_loss(SR, HR, parts["adversary"]).isfinite()


@pytest.mark.parametrize("own", ["srgan.train_step", "srgan.train_gan"])
def test_reference_answer_trains_as_the_course(own, home):
    """So the claims of lab 03 hold for an answer as well: D, step and run of the exercises give the same weights."""
    parameters = read_book(recipes() / "03_srgan.py").parameters
    lab = setup("03_srgan", parameters | {"recipe": "smoke", "device": "cpu"})
    features, start = srlab.FeatureExtractor("vgg6 relu1_1"), models.MSRResNet(1, 16)
    d_loss, g_loss = gan_plumbing.losses_of(lab, WEIGHTS, functools.partial(losses.content_loss, features))
    networks, logs, answer = [], [], find(own).reference
    for name in ("course", "own"):
        trainer = gan_plumbing.make_trainer(lab, name, WEIGHTS, 2e-4, "", subject="gravel")
        data = trainer, start, {"features": features}, gan_plumbing.patches_of(lab), 4
        discriminator = gan_plumbing.discriminator_of(lab)
        if name == "course":
            trained = gan_plumbing.train_gan(lab, *data, discriminator, d_loss, g_loss)
        elif own == "srgan.train_step":
            torch.manual_seed(lab.seed)
            discriminator = find("srgan.PatchDiscriminator").reference()
            trained = gan_plumbing.train_gan(lab, *data, discriminator, d_loss, g_loss, answer)
        else:
            torch.manual_seed(lab.seed)
            trained = answer(*data, g_loss, (lab.learning_rate, 2e-4), lab.betas, lab.instance_noise)
        networks.append(trained)
        logs.append(trainer.history[-1])
    assert all(map(torch.equal, networks[0].parameters(), networks[1].parameters()))
    assert not any(map(torch.equal, networks[0].parameters(), start.parameters()))
    assert {"d_loss", "g_loss", "d_norm", "g_norm", "d_real", "d_fake"} < logs[0].keys()
    assert {name: logs[0][name] for name in ("d_real", "g_loss")}.items() <= logs[1].items()
    recorded = [srlab.Run("03_srgan", name).manifest()["parameters"] for name in ("course", "own")]
    assert recorded[0] == recorded[1]
    known = {"gan": "vanilla", "max_shift": 3, "subject": "gravel", "start": "", "discriminator_rate": 2e-4}
    known |= {"label_real": 1.0, "label_flip": 0.0, "g_every": 1, "instance_noise": 0.1}
    known |= {"pixel_weight": 0.5, "content_weight": 2.0, "adversarial_weight": 3.0}
    assert known.items() <= recorded[0].items()
    assert "photo" not in recorded[0]


@pytest.mark.parametrize(("weight", "turns"), [(0.1, 2), (0.0, 1)])
def test_g_waits_for_d_only_if_it_learns_from_it(weight, turns, home):
    parameters = read_book(recipes() / "03_srgan.py").parameters | {"recipe": "smoke", "device": "cpu"}
    lab = setup("03_srgan", parameters | {"overrides": {"g_every": 2}})
    assert gan_plumbing.make_trainer(lab, "run", WEIGHTS | {"adversary": weight}, 2e-4, "").turns == turns
