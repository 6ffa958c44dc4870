"""Test the baselines of the figures: each reaches the sharpness or the error that it promises."""

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab.evaluation.perceptual import gradient_ratio
from srlab_course.material.baselines import blur_until, sharpened, with_noise


@pytest.fixture
def hr():
    return srlab.mod_crop(srlab.bundled_photos("validation")["chelsea"], 4)[..., :96, :96]


def test_blur_until_reaches_requested_error(hr):
    assert (blur_until(hr, 0.002) - hr).square().mean().item() == pytest.approx(0.002, rel=0.01)


@pytest.mark.parametrize("gray", [False, True])
def test_with_noise_reaches_requested_gradient(gray):
    hr = torch.rand(1, 1 if gray else 3, 48, 48, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    sr = F.avg_pool2d(hr, 5, 1, 2, count_include_pad=False)
    lifted = with_noise(sr, hr, 0.6, gray=gray)
    assert gradient_ratio(sr, hr).item() < 0.3
    assert gradient_ratio(lifted, hr).item() == pytest.approx(0.6, abs=0.02)
    assert torch.equal(lifted, lifted[:, :1].expand_as(lifted)) == gray, "gray noise must have no color"
    assert torch.equal(lifted, with_noise(sr, hr, 0.6, gray=gray))
    assert torch.allclose(with_noise(hr, hr, 0.5), hr, atol=1e-4), "sharp enough"


def test_sharpened_reaches_requested_gradient(hr):
    sr = srlab.upsample(srlab.downsample(hr, 2), 2)
    crisp = sharpened(sr, hr, 0.9)
    assert gradient_ratio(sr, hr).item() < 0.8
    assert gradient_ratio(crisp, hr).item() == pytest.approx(0.9, abs=0.01)
    assert crisp.min() >= 0
    assert crisp.max() <= 1
