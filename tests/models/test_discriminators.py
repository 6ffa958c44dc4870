"""Test srlab.models.discriminators: architectures, logits, and gradients only where they belong."""

import pytest
import torch
from torch import nn

from srlab.models import (
    PatchDiscriminator,
    SRGANDiscriminator,
    VGGDiscriminator,
    WithNoise,
    build_discriminator,
    frozen,
)

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["patch", "srgan", "vgg"])
def discriminator(request) -> nn.Module:
    torch.manual_seed(0)
    return build_discriminator(request.param, 32, 4)


def convolutions_of(network):
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (SRGANDiscriminator(4, 48), [(width, 3, s) for width in (4, 8, 16, 32) for s in (1, 2)]),
        (VGGDiscriminator(4, 64), [(width, *k) for width in (4, 8, 16, 32, 32) for k in ((3, 1), (4, 2))]),
        (PatchDiscriminator(4), [(4, 3, 1), (8, 4, 2), (8, 3, 1), (16, 4, 2), (1, 3, 1)]),
    ],
)
def test_discriminator_strides_match_papers(network, expected):
    found = [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions_of(network)]
    assert found == expected


def test_discriminator_returns_logits(discriminator):
    discriminator.eval()
    with torch.no_grad():
        discriminator.logit.bias.fill_(3.0)
        logits = discriminator(IMAGES)
    assert logits.shape == ((4, 1, 8, 8) if isinstance(discriminator, PatchDiscriminator) else (4, 1))
    assert (logits > 1).all()


def test_patch_discriminator_is_local_with_gains_near_1():
    torch.manual_seed(0)
    discriminator, image = PatchDiscriminator(8), torch.rand(1, 3, 64, 64, requires_grad=True)
    with torch.no_grad():
        for module in convolutions_of(discriminator):
            module.parametrizations.weight.original.mul_(50)
        for _ in range(40):
            discriminator(IMAGES)
        gains = [torch.linalg.matrix_norm(c.weight.flatten(1), 2).item() for c in convolutions_of(discriminator)]
    assert gains == pytest.approx([1] * 5, abs=0.1)
    discriminator.eval()(image)[0, 0, 8, 8].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 28  # 24 from the convolutions, and 2 more per side from the fine part


def test_instance_noise_passes_gradients_and_draws_only_if_on():
    discriminator, image = PatchDiscriminator(4).eval(), IMAGES.clone().requires_grad_()
    before, clean = torch.get_rng_state(), discriminator(image)
    assert torch.equal(WithNoise(discriminator)(image), clean)
    assert torch.equal(torch.get_rng_state(), before)
    noisy = WithNoise(discriminator, 0.1)(image)
    assert not torch.allclose(noisy, clean)
    noisy.sum().backward()
    assert image.grad.abs().sum() > 0


def test_frozen_passes_gradient_and_keeps_none(discriminator):
    image = IMAGES.clone().requires_grad_()
    with frozen(discriminator):
        loss = discriminator(image).sum()
    loss.backward()  # after unfreezing: what counts is when the graph was built
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())


def test_frozen_restores_requires_grad_after_error(discriminator):
    discriminator.logit.requires_grad_(False)
    before = {name: p.requires_grad for name, p in discriminator.named_parameters()}
    with pytest.raises(RuntimeError), frozen(discriminator):
        discriminator(IMAGES[:, :2])
    assert {name: p.requires_grad for name, p in discriminator.named_parameters()} == before
    assert all(m.track_running_stats for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d))
