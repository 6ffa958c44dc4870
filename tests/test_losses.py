"""Test srlab.losses against the equations of the papers: values by hand, gradients with autograd."""

import math

import pytest
import torch
import torch.nn.functional as F

from srlab.errors import SrlabError
from srlab.losses import (
    ADVERSARIAL,
    PIXEL_LOSSES,
    content_loss,
    discriminator_loss,
    generator_loss,
    hybrid,
    smooth_labels,
)

REAL = [[1.5], [-0.25], [0.5]]
FAKE = [[-1.25], [0.75], [2.0]]  # not -1, the corner of the hinge, where the slope depends on torch


def logits() -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in (REAL, FAKE))


def d(logit: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(logit)


# The equations of the papers: x is real, y is fake, both are logits C.
D_EQUATIONS = {
    "vanilla": lambda x, y: -(d(x).log().mean() + (1 - d(y)).log().mean()),
    "lsgan": lambda x, y: ((x - 1) ** 2).mean() / 2 + (y**2).mean() / 2,
    "hinge": lambda x, y: (1 - x).clamp(min=0).mean() + (1 + y).clamp(min=0).mean(),
    "rgan": lambda x, y: -d(x - y).log().mean(),
    "ragan": lambda x, y: -d(x - y.mean()).log().mean() - (1 - d(y - x.mean())).log().mean(),
}
G_EQUATIONS = {
    "vanilla": lambda x, y: -d(y).log().mean(),
    "lsgan": lambda x, y: ((y - 1) ** 2).mean() / 2,
    "hinge": lambda x, y: -y.mean(),
    "rgan": lambda x, y: -d(y - x).log().mean(),
    "ragan": lambda x, y: -(1 - d(x - y.mean())).log().mean() - d(y - x.mean()).log().mean(),
}


# --- Adversarial: values and gradients -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_gan_losses_match_equations(kind):
    real, fake = logits()
    found, expected = discriminator_loss(real, fake, kind), D_EQUATIONS[kind](real, fake)
    of_d, wanted = (torch.autograd.grad(loss, (real, fake)) for loss in (found, expected))
    torch.testing.assert_close((found, of_d), (expected, wanted))
    found, expected = generator_loss(real, fake, kind), G_EQUATIONS[kind](real, fake)
    of_g, wanted = (torch.autograd.grad(loss, fake) for loss in (found, expected))
    torch.testing.assert_close((found, of_g), (expected, wanted))
    assert of_d[1].sum() > 0 > of_g[0].sum()


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_large_logits_give_finite_losses_and_gradients(kind):
    for size in (200.0, -200.0):
        real, fake = torch.full((2, 1), size, requires_grad=True), torch.full((2, 1), -size, requires_grad=True)
        loss = discriminator_loss(real, fake, kind) + generator_loss(real, fake, kind)
        gradients = torch.autograd.grad(loss, (real, fake))
        assert all(value.isfinite().all() for value in (loss, *gradients))


# --- Relativistic --------------------------------------------------------------------------------------------


def test_ragan_g_learns_from_both_halves():
    # The half that some code lacks only reaches G through the mean of C(y).
    real, fake = logits()
    (whole,) = torch.autograd.grad(generator_loss(real, fake, "ragan"), fake)
    (half,) = torch.autograd.grad(-d(fake - real.mean()).log().mean(), fake)
    difference = whole - half
    assert (difference < -0.05).all()
    torch.testing.assert_close(difference, difference.mean().expand_as(difference))


ZEROS = torch.zeros(2, 1)
REFUSED = [
    # Cross-entropy would have no lower bound, and D would diverge.
    (lambda: smooth_labels(ZEROS, 9), "must be from 0 to 1"),
    (lambda: smooth_labels(ZEROS, math.nan), "must be from 0 to 1"),
    (lambda: smooth_labels(ZEROS, 1, 1.5), "must be from 0 to 1"),
    (lambda: discriminator_loss(ZEROS, ZEROS, "hinge", (0.9, 0.0)), "hinge loss has no labels"),
    (lambda: discriminator_loss(ZEROS, ZEROS, "hinge", smooth_labels(ZEROS, flip=1.0)), "hinge loss has no labels"),
    (lambda: hybrid((math.nan, ZEROS), (1, ZEROS)), "must be 0 or more and not all 0"),
    (lambda: hybrid((-0.1, ZEROS), (1, ZEROS)), "must be 0 or more and not all 0"),
    (lambda: hybrid((0, ZEROS), (0, ZEROS)), "must be 0 or more and not all 0"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_invalid_loss_is_rejected(call, words):
    with pytest.raises(SrlabError, match=words):
        call()


# --- Labels --------------------------------------------------------------------------------------------------


def test_smoothed_labels_match_hand_computation():
    real, fake = logits()
    by_hand = -(0.9 * d(real).log() + 0.1 * (1 - d(real)).log()).mean() - (1 - d(fake)).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake, labels=(0.9, 0.0)), by_hand)
    torch.testing.assert_close(discriminator_loss(real, fake, labels=smooth_labels(real, real=0.9)), by_hand)
    squares = ((real - 0.9) ** 2).mean() / 2 + (fake**2).mean() / 2
    torch.testing.assert_close(discriminator_loss(real, fake, "lsgan", (0.9, 0.0)), squares)


def test_label_flip_swaps_requested_share():
    torch.manual_seed(0)
    real, fake = smooth_labels(torch.zeros(100, 1, 10, 10, requires_grad=True), 0.9, 0.1)
    assert (real.shape, real.requires_grad) == ((100, 1, 10, 10), False)
    assert real.unique().tolist() == fake.unique().tolist() == pytest.approx([0.0, 0.9])
    assert (real == 0).float().mean().item() == pytest.approx(0.1, abs=0.012)  # four standard deviations
    assert (fake > 0).float().mean().item() == pytest.approx(0.1, abs=0.012)
    assert ((real == 0) == (fake > 0)).float().mean().item() == pytest.approx(0.82, abs=0.02)  # drawn one by one


def test_hinge_accepts_neutral_labels():
    assert discriminator_loss(ZEROS, ZEROS, "hinge", smooth_labels(ZEROS)).item() == 2


# --- Content -------------------------------------------------------------------------------------------------


class Extractor:
    """Return two layers: the image times a factor, and its 2x2 means; record whether gradients were on."""

    def __init__(self, *layers: str, factor: float = 1.0) -> None:
        self.layers, self.factor, self.with_graph = layers or ["fine"], factor, []

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        self.with_graph.append(torch.is_grad_enabled() and image.requires_grad)
        return {"fine": self.factor * image, "coarse": self.factor * F.avg_pool2d(image, 2)}


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, 3, 4, 4, generator=random).requires_grad_() for _ in range(2))


def test_content_loss_matches_hand_computation():
    sr, hr = torch.tensor([[[[1.0, 3.0], [0.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0], [0.0, 4.0]]]])
    features = Extractor("fine", "coarse")
    # fine: (1 + 4 + 0 + 16) / 4; coarse: means 1 and 5/4
    assert content_loss(features, sr, hr).item() == pytest.approx(21 / 4 + 0.0625)
    assert content_loss(features, sr, hr, F.l1_loss).item() == pytest.approx(7 / 4 + 0.25)
    # from zero, HR's maps have 17/4 and (5/4)^2
    assert content_loss(features, sr, hr, relative=True).item() == pytest.approx(21 / 17 + 0.0625 / 1.5625)


def test_shift_crops_both_images_equally(pair):
    hr, seen = pair[1].detach(), set()
    torch.manual_seed(0)
    for _ in range(40):
        features = Extractor()
        assert content_loss(features, hr, hr, max_shift=2).item() == 0
        seen.add(content_loss(features, *pair, max_shift=2).item())
    corners = {
        (pair[0] - pair[1])[..., down : down + 2, right : right + 2].square().mean().item()
        for down in range(3)
        for right in range(3)
    }
    assert sorted(seen) == pytest.approx(sorted(corners))


def test_hr_features_are_computed_once_without_graph(pair):
    sr, hr = pair
    features = Extractor()
    content_loss(features, sr, hr).backward()
    assert sorted(features.with_graph) == [False, True]
    assert hr.grad is None
    torch.testing.assert_close(sr.grad, 2 * (sr - hr).detach() / sr.numel())


def test_relative_loss_ignores_feature_scale(pair):
    one, large = (content_loss(Extractor(factor=factor), *pair, F.l1_loss, relative=True) for factor in (1, 1000))
    torch.testing.assert_close(one, large)
    hr = pair[1].detach()
    assert content_loss(Extractor("fine", "coarse"), torch.zeros_like(hr), hr, relative=True).item() == 2
    assert content_loss(Extractor(), hr, torch.zeros_like(hr), relative=True).isfinite(), "HR without any feature"


# --- Hybrids -------------------------------------------------------------------------------------------------


def test_hybrid_is_weighted_sum_without_weight_0():
    pixel, content = torch.tensor(2.0, requires_grad=True), torch.tensor(10.0, requires_grad=True)
    loss = hybrid((0.7, pixel), (0.3, content), (0, torch.tensor(math.nan)))
    loss.backward()
    assert (loss.item(), pixel.grad.item(), content.grad.item()) == pytest.approx((4.4, 0.7, 0.3))


def test_charbonnier_is_nearly_l1():
    hr = torch.zeros(3)
    sr = torch.tensor([0.5, -0.1, 0.0], requires_grad=True)
    loss = PIXEL_LOSSES["charbonnier"](sr, hr)
    assert loss.item() == pytest.approx(F.l1_loss(sr, hr).item(), abs=1e-4)
    loss.backward()
    torch.testing.assert_close(sr.grad, torch.tensor([1.0, -1.0, 0.0]) / 3, atol=1e-4, rtol=0)
