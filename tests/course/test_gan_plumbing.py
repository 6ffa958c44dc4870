"""Test the GAN code shared by labs 03 and 04."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from srlab import losses
from srlab.course import gan_plumbing

WEIGHTS = {"pixel": 0.5, "content": 2.0, "adversary": 3.0}
SR, HR = torch.tensor([[0.5], [1.0]]), torch.tensor([[0.0], [2.0]])


def lab(**changes):
    return SimpleNamespace(**({"pixel": "l1", "label_real": 1.0, "label_flip": 0.0} | changes))


def look(image):
    return 2 * image - 1


@pytest.mark.parametrize("game", losses.KINDS)
def test_adversarial_losses(game):
    d_loss, g_loss = gan_plumbing.losses_of(lab(), game, WEIGHTS, F.mse_loss)
    real, fake = look(HR), look(SR)
    assert d_loss(real, fake) == losses.discriminator_loss(real, fake, game)
    whole = 0.5 * 0.75 + 2 * 0.625 + 3 * losses.generator_loss(fake, real=real, kind=game)
    torch.testing.assert_close(g_loss(SR, HR, look), whole)
    if game == "vanilla":
        smooth, _ = gan_plumbing.losses_of(lab(label_real=0.9), game, WEIGHTS, F.mse_loss)
        assert smooth(real, fake) == losses.discriminator_loss(real, fake, game, (0.9, 0.0))


@pytest.mark.parametrize("left_out", ["content", "adversary"])
def test_loss_with_weight_0_is_not_computed(left_out):
    parts = {"content": F.mse_loss, "adversary": look} | {left_out: pytest.fail}
    _, g_loss = gan_plumbing.losses_of(lab(), "vanilla", WEIGHTS | {left_out: 0.0}, parts["content"])
    assert g_loss(SR, HR, parts["adversary"]).isfinite()


def test_recorded_run_settings():
    known = lab(parameters={"gan": "vanilla", "max_shift": 3, "photo": "mine.png", "content_weight": 9.0})
    found = gan_plumbing.noted(known, WEIGHTS, gan="hinge", start="bundled")
    weights = {"pixel_weight": 0.5, "content_weight": 2.0, "adversarial_weight": 3.0}
    assert found == {"gan": "hinge", "max_shift": 3, "start": "bundled"} | weights
