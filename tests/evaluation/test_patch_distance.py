"""Test srlab.evaluation.patch_distance: its formula, and that it tells textures from upscaled ones."""

import pytest
import torch

import srlab
from srlab.evaluation.patch_distance import patch_distance
from srlab.models.loading import load_bundled
from srlab_course.material.subjects import split_photo


def test_other_crop_is_closer_than_any_upscaled_one():
    other, hr = (half["gravel"] for half in split_photo("gravel"))
    small = srlab.downsample(hr[..., :256, :].contiguous(), 4)
    shipped = load_bundled()
    mse, srgan = (srlab.upscale(shipped[name], small) for name in ("MSRResNet", "SRGAN"))
    found = [patch_distance(image, hr).item() for image in (hr, other, srgan, mse, srlab.upsample(small, 4))]
    assert found == sorted(found)
    assert abs(found[0]) < 0.2
    assert found[1] < 0.5 < 5 < found[2]


def test_patch_distance_matches_formula():
    images = torch.rand(2, 3, 176, 176, generator=torch.Generator().manual_seed(1))
    images[0] = 0.7 * images[0] + 0.1
    features = srlab.FeatureExtractor("vgg6 relu1_2")
    with torch.no_grad():
        maps = features((255 * images).round() / 255)["relu1_2"]
    side, step = 32 * maps.shape[-1] // 176, 16 * maps.shape[-1] // 176
    starts = range(0, maps.shape[-1] - side + 1, step)
    a, b = (torch.stack([m[:, r : r + side, c : c + side].mean((1, 2)) for r in starts for c in starts]) for m in maps)
    assert len(a) == 100
    a, b = ((x - b.mean(0)).double() / (b - b.mean(0)).square().mean().sqrt() for x in (a, b))

    def alike(one, other):  # for all pairs of different patches
        return torch.tensor([((x * y).mean() + 1) ** 3 for x in one for y in other if x is not y]).mean()

    a, b = list(a), list(b)
    wanted = (alike(a, a) + alike(b, b) - 2 * alike(a, b)).item()
    assert patch_distance(images[0], images[1], features).item() == pytest.approx(wanted, rel=1e-3)
