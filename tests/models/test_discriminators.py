"""srlab.models.discriminators: logits out, gradients only where they belong, and whole after stopping a run."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet
from srlab.data.patches import PatchSampler
from srlab.losses import content_loss, discriminator_loss, generator_loss, noisy_labels
from srlab.models import MSRResNet, PatchDiscriminator, SRGANDiscriminator, VGGDiscriminator, frozen, parameter_count
from srlab.models.features import FeatureExtractor
from srlab.training.checkpoint import tensors_in
from srlab.training.runs import Run
from srlab.training.trainer import Trainer

SMALL = {"patch": (lambda: PatchDiscriminator(4), 32), "srgan": (lambda: SRGANDiscriminator(4, 32), 32)}
SMALL["vgg"] = (lambda: VGGDiscriminator(4, 32), 32)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(params=SMALL)
def judge(request) -> nn.Module:
    return SMALL[request.param][0]()


IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


# --- What they are -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "count"),
    [(SRGANDiscriminator, 23_565_505), (VGGDiscriminator, 14_499_401), (PatchDiscriminator, 203_873)],
)
def test_the_parameter_counts_are_those_of_the_docstrings(network, count):
    with torch.device("meta"):
        assert parameter_count(network()) == count
    assert f"{count:,} parameters" in network.__doc__


def test_the_patch_discriminator_answers_for_each_place():
    judge = PatchDiscriminator(4)
    assert judge(torch.rand(2, 3, 32, 40)).shape == (2, 1, 8, 10)
    assert judge(torch.rand(1, 3, 16, 16)).shape == (1, 1, 4, 4)


def test_a_place_of_the_patch_discriminator_sees_its_neighbourhood_only():
    judge = PatchDiscriminator(4).eval()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    judge(image)[0, 0, 8, 8].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 28  # 24 of the convolutions, and 2 more a side of the fine part
    assert rows.min() <= 4 * 8 <= rows.max()


def test_the_answer_is_a_logit_and_no_probability(judge):
    judge.eval()
    with torch.no_grad():
        judge.logit.bias.fill_(-3.0)
        low = judge(IMAGES)
        judge.logit.bias.fill_(+3.0)
        high = judge(IMAGES)
    assert (low < 0).all()
    assert (high > 1).all()
    torch.testing.assert_close(high - low, torch.full_like(low, 6.0))  # the last layer is linear


def test_spectral_norm_holds_the_largest_gain_of_each_layer_near_1_however_large_the_weights_are():
    judge = PatchDiscriminator(8)
    with torch.no_grad():
        for module in judge.modules():
            if isinstance(module, nn.Conv2d):
                module.parametrizations.weight.original.mul_(50)
        for _ in range(40):
            judge(IMAGES)
        convolutions = [module for module in judge.modules() if isinstance(module, nn.Conv2d)]
        gains = [float(torch.linalg.matrix_norm(module.weight.flatten(1), 2)) for module in convolutions]
    assert len(gains) == 5
    assert gains == pytest.approx([1] * 5, abs=0.1)


# --- Instance noise ------------------------------------------------------------------------------------------


def test_instance_noise_changes_the_answer_and_repeats_with_the_seed(judge):
    judge.eval()
    clean = judge(IMAGES)
    assert torch.equal(judge(IMAGES, noise=0.0), clean)
    answers = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        answers.append(judge(IMAGES, noise=0.1))
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
    assert not torch.allclose(answers[0], clean)


def test_instance_noise_leaves_the_image_and_without_it_no_number_is_drawn(judge):
    image = IMAGES.clone()
    before = torch.get_rng_state()
    judge(image)
    assert torch.equal(torch.get_rng_state(), before)
    judge(image, noise=0.2)
    assert torch.equal(image, IMAGES)


def test_the_gradient_passes_through_instance_noise(judge):
    image = IMAGES.clone().requires_grad_()
    generator_loss(judge(image, noise=0.05)).backward()
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("noise", [-0.1, float("nan")])
def test_noise_below_0_is_refused(judge, noise):
    with pytest.raises(SrlabError, match="noise on D's images must be 0 or more"):
        judge(IMAGES, noise=noise)


# --- Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [IMAGES * 255, IMAGES * 2 - 1, -IMAGES - 1], ids=["levels", "-1 to 1", "negative"])
def test_images_outside_of_0_and_1_are_refused_with_their_range(judge, image):
    with pytest.raises(SrlabError, match=r"judges images in \[0, 1\], but these reach from -?\d+\.\d\d to"):
        judge(image)


def test_an_sr_that_leaves_0_and_1_a_little_or_at_some_pixels_is_judged(judge):
    assert judge(IMAGES - 0.5).isfinite().all()  # such as an untrained SRResNet
    spiked = IMAGES.clone()
    spiked[..., ::4, ::4] = 5.0
    assert judge(spiked).isfinite().all()


def test_an_image_of_another_size_is_refused():
    for judge in (SRGANDiscriminator(4, 32), VGGDiscriminator(4, 32)):
        with pytest.raises(SrlabError, match="judges 32x32 images, but got"):
            judge(torch.rand(1, 3, 48, 48))
    with pytest.raises(SrlabError, match="16 pixels or more"):
        PatchDiscriminator(4)(torch.rand(1, 3, 12, 32))
    with pytest.raises(SrlabError, match="multiple of 16"):
        SRGANDiscriminator(4, 40)
    with pytest.raises(SrlabError, match="multiple of 32"):
        VGGDiscriminator(4, 48)
    with pytest.raises(SrlabError, match="features >= 1"):
        PatchDiscriminator(0)


# --- frozen --------------------------------------------------------------------------------------------------


def test_frozen_lets_the_gradient_through_and_keeps_none(judge):
    image = IMAGES.clone().requires_grad_()
    with frozen(judge) as same:
        assert same is judge
        loss = generator_loss(judge(image))
    loss.backward()  # after it is learning again: what counts is how the graph was made
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert all(parameter.requires_grad for parameter in judge.parameters())


def test_frozen_gives_the_same_gradient_to_the_image_as_without_it():
    judge = SRGANDiscriminator(4, 32).eval()
    grads = []
    for freeze in (True, False):
        image = IMAGES.clone().requires_grad_()
        with frozen(judge) if freeze else torch.enable_grad():
            generator_loss(judge(image)).backward()
        grads.append(image.grad)
    assert torch.equal(*grads)


def test_frozen_gives_back_only_what_was_learning(judge):
    judge.logit.requires_grad_(False)
    fixed = {name for name, parameter in judge.named_parameters() if not parameter.requires_grad}
    with frozen(judge), frozen(judge):
        assert not any(parameter.requires_grad for parameter in judge.parameters())
    assert {name for name, parameter in judge.named_parameters() if not parameter.requires_grad} == fixed
    assert fixed


def test_frozen_gives_back_after_an_error(judge):
    with pytest.raises(SrlabError), frozen(judge):
        judge(IMAGES * 255)
    assert all(parameter.requires_grad for parameter in judge.parameters())


def test_frozen_keeps_the_gradients_of_d_that_are_there(judge):
    discriminator_loss(judge(IMAGES), judge(IMAGES / 2)).backward()
    before = [parameter.grad.clone() for parameter in judge.parameters()]
    image = IMAGES.clone().requires_grad_()
    with frozen(judge):
        generator_loss(judge(image)).backward()
    assert all(torch.equal(parameter.grad, old) for parameter, old in zip(judge.parameters(), before, strict=True))


# --- Saved and read ------------------------------------------------------------------------------------------


def test_a_discriminator_comes_back_from_a_file_as_it_was(judge, tmp_path):
    judge(IMAGES)  # moves the vectors of spectral norm, and the statistics of batch norm
    files.write_safetensors(tmp_path / "d.safetensors", judge.state_dict(), {"network": "D"})
    other = type(judge)(**judge.config)
    assert not torch.allclose(other.eval()(IMAGES), judge.eval()(IMAGES))
    other.load_state_dict(files.read_safetensors(tmp_path / "d.safetensors")[0])
    assert torch.equal(other(IMAGES), judge(IMAGES))
    assert torch.equal(other.train()(IMAGES), judge.train()(IMAGES))
    for key, value in judge.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def train(name: str, iters: int, discriminator: str = "patch", precision: str = "no") -> Trainer:
    """Lab 03 in short: content and adversarial loss, instance noise, flipped labels."""
    torch.manual_seed(0)
    trainer = Trainer("03_srgan", name, device="cpu", precision=precision, ema=0.9)
    generator, judge = MSRResNet(1, 4), SMALL[discriminator][0]()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3)
    d_optimizer = torch.optim.Adam(judge.parameters(), lr=4e-3, betas=(0.5, 0.999))
    generator, judge, features, g_optimizer, d_optimizer = trainer.prepare(
        generator=generator,
        discriminator=judge,
        features=FeatureExtractor("vgg19 relu1_2", "random"),
        g_optimizer=g_optimizer,
        d_optimizer=d_optimizer,
    )
    images = torch.randint(0, 256, (2, 3, 40, 40), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    sampler = PatchSampler(ImageSet("random", ["a", "b"], list(images)), patch=32, batch=2)

    def step(lr, hr):
        sr = generator(lr)
        real, fake = judge(hr, noise=0.1), judge(sr.detach(), noise=0.1)
        d_loss = discriminator_loss(real, fake, labels=noisy_labels(real, 0.9, 0.1))
        d_optimizer.zero_grad()
        trainer.backward(d_loss)
        d_optimizer.step()
        with frozen(judge):
            adversarial = generator_loss(judge(sr, noise=0.1))
        content = content_loss(features, sr, hr, relative=True)
        g_optimizer.zero_grad()
        trainer.backward(F.l1_loss(sr, hr) + 0.1 * content + 0.01 * adversarial)
        g_optimizer.step()
        return {"content": content, "adversarial": adversarial, "d": d_loss}

    trainer.fit(step, sampler, iters, validate_every=4)
    return trainer


def newest_state(name: str) -> dict:
    return Run("03_srgan", name).load_state()


@pytest.mark.parametrize("discriminator", SMALL)
def test_a_run_with_a_discriminator_and_features_goes_on_bit_for_bit(discriminator):
    train("straight", 6, discriminator)
    train("pieces", 3, discriminator)
    train("pieces", 6, discriminator)
    straight, pieces = (tensors_in(newest_state(name)) for name in ("straight", "pieces"))
    assert straight.keys() == pieces.keys()
    assert [key for key in straight if not torch.equal(straight[key], pieces[key])] == []
    assert Run("03_srgan", "straight").metrics()[-1] == Run("03_srgan", "pieces").metrics()[-1]


def test_the_state_has_the_vectors_of_spectral_norm_and_nothing_of_the_features():
    trainer = train("saved", 2)
    state = newest_state("saved")
    assert set(state["networks"]) == {"generator", "discriminator", "ema", "sampler"}
    assert set(state["optimizers"]) == {"g_optimizer", "d_optimizer"}
    assert sum(key.endswith(("._u", "._v")) for key in state["networks"]["discriminator"]) == 10
    assert list(trainer.frozen) == ["features"]
    recipe = Run("03_srgan", "saved").manifest()["parameters"]["features"]
    assert recipe["layers"] == "vgg19 relu1_2"
    assert recipe["weights"] == "random, seed 0"


def test_features_stay_frozen_and_in_eval_mode_in_the_hands_of_the_trainer():
    trainer = train("frozen", 1)
    features = trainer.frozen["features"]
    assert not any(module.training for module in features.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in features.parameters())
    expected = FeatureExtractor("vgg19 relu1_2", "random").state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in features.state_dict().items())
