"""Test the GAN code shared by labs 03 and 04."""

import functools
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses, models
from srlab.paths import recipes
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.checks import check
from srlab_course.feedback.exercise import TODO
from srlab_course.lab import gan_plumbing
from srlab_course.lab.recipes import read_book
from srlab_course.lab.setup import setup

WEIGHTS = {"pixel": 0.5, "content": 2.0, "adversary": 3.0}
SR, HR = torch.tensor([[0.5], [1.0]]), torch.tensor([[0.0], [2.0]])


def lab(**changes):
    return SimpleNamespace(**({"pixel": "l1", "label_real": 1.0, "label_flip": 0.0} | changes))


def look(image):
    return 2 * image - 1


@pytest.mark.parametrize("kind", losses.ADVERSARIAL)
def test_adversarial_losses(kind):
    game, real, fake = gan_plumbing.game_of(lab(), kind, WEIGHTS, F.mse_loss), look(HR), look(SR)
    assert game.d_loss(real, fake) == losses.discriminator_loss(real, fake, kind)
    whole = 0.5 * 0.75 + 2 * 0.625 + 3 * losses.generator_loss(real, fake, kind)
    torch.testing.assert_close(game.g_loss(SR, HR, look), whole)
    if kind == "vanilla":
        smooth = gan_plumbing.game_of(lab(label_real=0.9), kind, WEIGHTS, F.mse_loss)
        assert smooth.d_loss(real, fake) == losses.discriminator_loss(real, fake, kind, (0.9, 0.0))


@pytest.mark.parametrize("left_out", ["content", "adversary"])
def test_loss_with_weight_0_is_not_computed(left_out):
    parts = {"content": F.mse_loss, "adversary": look} | {left_out: pytest.fail}
    game = gan_plumbing.game_of(lab(), "vanilla", WEIGHTS | {left_out: 0.0}, parts["content"])
    assert game.g_loss(SR, HR, parts["adversary"]).isfinite()


def test_recorded_run_settings():
    known = lab(parameters={"gan": "vanilla", "max_shift": 3, "photo": "mine.png", "content_weight": 9.0})
    found = gan_plumbing.noted(known, WEIGHTS, gan="hinge", start="bundled")
    weights = {"pixel_weight": 0.5, "content_weight": 2.0, "adversarial_weight": 3.0}
    assert found == {"gan": "hinge", "max_shift": 3, "start": "bundled"} | weights


def test_discriminator_of_the_exercise_is_that_of_the_package():
    """So lab 03 trains the same with the student's D as with the recipe's."""
    image, outputs = torch.rand(2, 3, 32, 32), []
    for build in (find("srgan.PatchDiscriminator").reference, models.PatchDiscriminator):
        torch.manual_seed(0)
        outputs.append(build()(image))
    assert torch.equal(*outputs)


def test_step_of_the_exercise_trains_as_that_of_the_package(home):
    parameters = read_book(recipes() / "03_srgan.yaml").parameters
    lab = setup("03_srgan", parameters | {"recipe": "smoke", "device": "cpu"})
    features = srlab.FeatureExtractor("vgg6 relu1_1")
    game = gan_plumbing.game_of(lab, "vanilla", WEIGHTS, functools.partial(losses.content_loss, features))
    start, about = models.MSRResNet(1, 16), {"subject": "gravel"}
    plan = gan_plumbing.GanPlan(lab, start, "", features, lambda iters: srlab.constant, None, -math.inf, about)
    own = game._replace(train_step=find("srgan.train_step").reference)
    (ours, log), (theirs, _) = (plan.train(name, 4, kind, WEIGHTS) for name, kind in (("ours", game), ("own", own)))
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert not any(map(torch.equal, ours.parameters(), start.parameters()))
    assert {"d_loss", "g_loss", "d_norm", "g_norm", "d_real", "d_fake"} < log[-1].keys()
    recorded = srlab.Run("03_srgan", "own").manifest()["parameters"]
    assert (recorded["subject"], recorded["gan"], recorded["adversarial_weight"]) == ("gravel", "vanilla", 3.0)


def test_run_of_the_exercise_trains_as_the_plan(home):
    """So the claims of lab 03, which are measured with the plan, hold for the reference answer as well."""
    parameters = read_book(recipes() / "03_srgan.yaml").parameters
    lab = setup("03_srgan", parameters | {"recipe": "smoke", "device": "cpu"})
    features = srlab.FeatureExtractor("vgg6 relu1_1")
    game = gan_plumbing.game_of(lab, "vanilla", WEIGHTS, functools.partial(losses.content_loss, features))
    start = models.MSRResNet(1, 16)
    plan = gan_plumbing.GanPlan(lab, start, "", features, lambda iters: srlab.constant, None, -math.inf, {})
    theirs, log = plan.train("plan", 4, game, WEIGHTS)
    trainer = plan.make_trainer("own", WEIGHTS)
    scene = trainer, start, {"features": features}, gan_plumbing.patches_of(lab), 4, game.g_loss
    rates = (lab.learning_rate, lab.discriminator_rate)
    run = find("srgan.train_gan").reference
    ours = run(*scene, rates, lab.betas, lab.instance_noise, **plan.options(4))
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert trainer.history[-1]["d_real"] == log[-1]["d_real"]
    recorded = [srlab.Run("03_srgan", name).manifest()["parameters"] for name in ("plan", "own")]
    assert recorded[0] == recorded[1]


def course(name="03_srgan", **changes):
    known = {"gan": "vanilla", "discriminator": "patch", "pixel": "l1", "label_real": 1.0, "label_flip": 0.0}
    known |= {"g_every": 1, "precision": "fp32"} | changes
    return lab(name=name, run="default", parameters=known, precision=known["precision"])


@pytest.mark.parametrize(
    "change", [{}, {"gan": "hinge"}, {"discriminator": "srgan"}, {"precision": "fp16"}, {"g_every": 2}]
)
def test_which_recipes_the_lab_trains(change):
    assert gan_plumbing.is_trained_in_the_lab(course(**change)) == (not change)


@pytest.mark.parametrize("change", [{}, {"gan": "vanilla"}, {"discriminator": "vgg"}, {"d_features": 48}])
def test_which_recipes_lab_04_trains_with_the_step_of_lab_03(change):
    known = course("04_esrgan", **({"gan": "ragan", "pixel": "mse", "d_features": 0} | change))
    assert gan_plumbing.is_trained_in_the_lab(known) == (not change)


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
