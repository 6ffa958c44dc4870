"""srlab.models.discriminators: logits out, gradients only where they belong, and whole after stopping a run."""

import pytest
import torch
from torch import nn

from srlab.losses import generator_loss
from srlab.models import (
    CodedDiscriminator,
    PatchDiscriminator,
    SRGANDiscriminator,
    VGGDiscriminator,
    build_discriminator,
    frozen,
)

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["patch", "srgan", "vgg"])
def discriminator(request) -> nn.Module:
    torch.manual_seed(0)
    return build_discriminator(request.param, 32, 4)


# --- What they are -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (SRGANDiscriminator(4, 48), [(width, 3, s) for width in (4, 8, 16, 32) for s in (1, 2)]),
        (VGGDiscriminator(4, 64), [(width, *k) for width in (4, 8, 16, 32, 32) for k in ((3, 1), (4, 2))]),
        (PatchDiscriminator(4), [(4, 3, 1), (8, 4, 2), (8, 3, 1), (16, 4, 2), (1, 3, 1)]),
        # The study's lacks the 256-channel convolution of stride 2.
        (CodedDiscriminator(), [(w, 3, s) for w in (64, 128, 256, 512) for s in (1, 2) if (w, s) != (256, 2)]),
    ],
)
def test_their_convolutions_halve_as_published(network, expected):
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions] == expected


def test_the_answer_is_a_logit_and_no_probability(discriminator):
    discriminator.eval()
    with torch.no_grad():
        discriminator.logit.bias.fill_(3.0)
        logits = discriminator(IMAGES)
    assert logits.shape == ((4, 1, 8, 8) if isinstance(discriminator, PatchDiscriminator) else (4, 1))
    assert (logits > 1).all()


def test_a_place_of_the_patch_discriminator_sees_its_neighborhood_only():
    discriminator = PatchDiscriminator(4).eval()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    discriminator(image)[0, 0, 8, 8].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 28  # 24 of the convolutions, and 2 more a side of the fine part


def test_spectral_norm_holds_the_gain_of_each_layer_near_1():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8)
    convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for module in convolutions:
            module.parametrizations.weight.original.mul_(50)
        for _ in range(40):
            discriminator(IMAGES)
        gains = [float(torch.linalg.matrix_norm(module.weight.flatten(1), 2)) for module in convolutions]
    assert gains == pytest.approx([1] * 5, abs=0.1)


def test_the_coded_discriminator_averages_over_the_places_before_its_linear_layers():
    discriminator, seen = build_discriminator("coded", 32, 4).eval(), []
    discriminator.head[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.rand(2, 3, 32, 40)
    assert discriminator(image).shape == (2, 1)
    torch.testing.assert_close(seen, [discriminator.convolutions(image).mean(dim=(2, 3))])


def test_instance_noise_lets_gradients_through_and_without_it_no_number_is_drawn(discriminator):
    discriminator.eval()
    image, before = IMAGES.clone().requires_grad_(), torch.get_rng_state()
    clean = discriminator(image)
    assert torch.equal(torch.get_rng_state(), before)
    noisy = discriminator(image, noise=0.1)
    assert not torch.allclose(noisy, clean)
    generator_loss(noisy).backward()
    assert image.grad.abs().sum() > 0


# --- frozen --------------------------------------------------------------------------------------------------


def test_frozen_lets_the_gradient_through_and_keeps_none(discriminator):
    image = IMAGES.clone().requires_grad_()
    with frozen(discriminator):
        loss = generator_loss(discriminator(image))
    loss.backward()  # after it is learning again: what counts is how the graph was made
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())


def test_frozen_gives_back_what_was_learning_also_after_an_error(discriminator):
    discriminator.logit.requires_grad_(False)
    before = {name: p.requires_grad for name, p in discriminator.named_parameters()}
    with pytest.raises(RuntimeError), frozen(discriminator):
        discriminator(IMAGES[:, :2])
    assert {name: p.requires_grad for name, p in discriminator.named_parameters()} == before
    assert all(m.track_running_stats for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d))
