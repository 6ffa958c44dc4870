"""Test the GAN code shared by labs 03 and 04."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from srlab import losses, models
from srlab.course import gan_plumbing
from srlab.course.checks import check
from srlab.course.exercise import TODO, find

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


def test_discriminator_of_the_exercise_is_that_of_the_package():
    """So lab 03 trains the same with the student's D as `train_other` does."""
    image, outputs = torch.rand(2, 3, 32, 32), []
    for build, noisy in ((find("srgan.PatchDiscriminator").reference, True), (models.PatchDiscriminator, False)):
        torch.manual_seed(0)
        network = build()
        outputs.append(gan_plumbing.WithNoise(network, 0.1)(image) if noisy else network(image, 0.1))
    assert torch.equal(*outputs)


def course(**changes):
    known = {"gan": "vanilla", "discriminator": "patch", "pixel": "l1", "label_real": 1.0, "label_flip": 0.0}
    known |= {"g_every": 1, "augment": "all", "rotate": 0.0, "black_corners": False, "precision": "no"} | changes
    return lab(name="03_srgan", run="default", parameters=known, precision=known["precision"])


@pytest.mark.parametrize(
    "change", [{}, {"gan": "hinge"}, {"discriminator": "srgan"}, {"precision": "fp16"}, {"g_every": 2}]
)
def test_which_recipes_the_lab_trains(change):
    assert gan_plumbing.is_trained_in_the_lab(course(**change)) == (not change)


def test_changed_code_gets_another_hash(home):
    reference = check("srgan.train_step", TODO)
    codes = [gan_plumbing.code_of(course(), *answers) for answers in ((reference,), (reference, lab), (look, lab))]
    assert codes[0] == "reference"
    assert len(set(codes)) == 3
    own = {"__name__": "__main__"}
    for name, width in (("narrow", 8), ("wide", 16), ("same", 16)):  # classes without a source, as in a notebook
        exec(f"class D:\n    def forward(self):\n        return {width}", own)
        own[name] = gan_plumbing.code_of(course(), own["D"])
    assert own["narrow"] != own["wide"] == own["same"]
    assert gan_plumbing.code_of(course(gan="hinge"), look) == "srlab"
