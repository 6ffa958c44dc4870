"""Test srlab.evaluation.patch_distance: what separates distributions of patches, and what does not."""

import math

import pytest
import torch
import torch.nn.functional as F

from srlab.data.datasets import bundled_photos
from srlab.data.images import mod_crop
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import TooSmall
from srlab.evaluation.patch_distance import patch_distance
from srlab.models.features import FeatureExtractor
from srlab.models.loading import load_bundled
from srlab.tiling import upscale
from srlab_course.material.baselines import with_noise
from srlab_course.material.subjects import split_photo


@pytest.fixture(scope="module")
def gravel() -> torch.Tensor:
    return torch.cat([half["gravel"] for half in split_photo("gravel")], dim=3)


# --- Distance of two sets of patches ----------------------------------------------------------------------------


def test_other_crop_is_closer_than_any_upscaled_one(gravel):
    other, hr = gravel[..., :256], gravel[..., 256:]
    small = downsample(hr.contiguous(), 4)
    bicubic = upsample(small, 4)
    shipped = load_bundled()
    mse, srgan = (upscale(shipped[name], small) for name in ("MSRResNet", "SRGAN"))
    found = [patch_distance(image, hr).item() for image in (hr, other, srgan, mse, bicubic)]
    assert found == sorted(found)
    assert abs(found[0]) < 0.2
    assert found[1] < 0.5 < 5 < found[2]


def test_patch_distance_is_not_fooled_by_overshoot_or_noise():
    """Use chelsea, where MSE is blurry; brick edges are as sharp as overshoot makes them."""
    hr = mod_crop(bundled_photos("validation")["chelsea"][..., :256, :256], 16)
    mse = upscale(load_bundled()["MSRResNet"], downsample(hr, 4))
    sharpened = (mse + 3 * (mse - F.avg_pool2d(mse, 5, 1, 2, count_include_pad=False))).clamp(0, 1)
    soft = patch_distance(mse, hr).item()
    assert patch_distance(sharpened, hr).item() > 2 * soft
    assert patch_distance(with_noise(mse, hr, 0.8), hr).item() > 0.8 * soft


def test_halves_of_one_texture_have_zero_mean_distance():
    noise = torch.rand(20, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    found = patch_distance(noise[:10], noise[10:])
    assert abs(found.mean().item()) < 2 * found.std().item() / math.sqrt(10)


def test_patch_distance_matches_formula():
    images = torch.rand(2, 3, 176, 176, generator=torch.Generator().manual_seed(1))
    images[0] = 0.7 * images[0] + 0.1
    features = FeatureExtractor("vgg6 relu1_2")
    with torch.no_grad():  # a plain loop over windows of whole pixels
        maps = features((255 * images).round() / 255)["relu1_2"]
    ends = 176 // maps.shape[-1]
    side, step = 32 // ends, 16 // ends
    rows = range(0, maps.shape[-1] - side + 1, step)
    a, b = (torch.stack([m[:, r : r + side, c : c + side].mean((1, 2)) for r in rows for c in rows]) for m in maps)
    assert len(a) == 100
    a, b = ((x - b.mean(0)).double() / (b - b.mean(0)).square().mean().sqrt() for x in (a, b))
    alike = [[((x * y).mean() + 1) ** 3 for j, y in enumerate(two) if one is not two or i != j]
             for one, two in ((a, a), (b, b), (a, b)) for i, x in enumerate(one)]  # fmt: skip
    inside_a, inside_b, across = (torch.tensor(alike[k : k + 100]).mean() for k in (0, 100, 200))
    wanted = (inside_a + inside_b - 2 * across).item()
    assert patch_distance(images[0], images[1], features).item() == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("size", [(1, 300), (40, 40)])
def test_too_few_patches(size):
    with pytest.raises(TooSmall, match=f"An image of {size[1]}x{size[0]} pixels has fewer than the 100 patches"):
        patch_distance(torch.rand(1, 3, *size), torch.rand(1, 3, *size))


def test_gray_image_is_treated_as_color(gravel):
    gray = [gravel[..., :192, x : x + 192][:, :1] for x in (0, 200)]
    assert torch.equal(patch_distance(*gray), patch_distance(*(image.expand(-1, 3, -1, -1) for image in gray)))
