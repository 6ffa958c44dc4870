"""Test a photo that is split into halves, and one sentence per unsuitable photo."""

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.data import datasets
from srlab.data.images import read_pixels
from srlab.data.resampling import downsample
from srlab.errors import SrlabError
from srlab.models.loading import load_bundled
from srlab_course.material import subjects


@pytest.fixture
def own(tmp_path):
    """Write pixels as a user's photo and split it."""

    def cut(pixels):
        Image.fromarray(pixels).save(tmp_path / "own.png")
        return subjects.split_photo(tmp_path / "own.png")

    return cut


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def levels(half):
    return half.hr[0].permute(1, 2, 0).numpy()


def test_bundled_photo_is_split_without_gap():
    left, right = subjects.split_photo("gravel")
    whole = read_pixels(datasets.photo_file("gravel"), {}).expand(-1, -1, 3).permute(2, 0, 1)
    assert torch.equal(torch.cat([left.hr[0], right.hr[0]], dim=2), whole)
    assert left.hr[0].shape == right.hr[0].shape
    assert left.gray == right.gray == {"gravel"}
    assert torch.equal(datasets.bundled_photos("train")["gravel"], left["gravel"])


def test_user_photo_is_split_with_gap(own):
    pixels = noise(120, 401)  # the odd column belongs to the right half
    left, right = own(pixels)
    assert (levels(left) == pixels[:, :132]).all()
    assert (levels(right) == pixels[:, 132 + subjects.GAP :]).all()
    assert (left.gray, own(pixels[..., 0])[0].gray) == (frozenset(), {"own"})


def test_large_photo_is_center_cropped(own):
    pixels = noise(1100, 1300)
    left, right = own(pixels)
    assert left.hr[0].shape == right.hr[0].shape
    assert (levels(left) == pixels[38:1062, 138:582]).all()
    assert left.name == "left half of the center of own"


def test_gap_is_receptive_field():
    assert max(load_bundled()[method].radius for method in ("MSRResNet", "RRDB")) * 4 == subjects.GAP


def test_narrow_photo_is_rejected(own):
    with pytest.raises(SrlabError, match=r"320 x 300 pixels.* at least 328 wide and 96 high"):
        own(noise(300, 320))


@pytest.mark.parametrize(("name", "said"), [("sand", "Photo .*/sand not found.* camera, "), (".", "not found")])
def test_invalid_subject_is_rejected(name, said):
    with pytest.raises(SrlabError, match=said):
        subjects.split_photo(name)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_badge_is_the_lr_image_of_its_crop(scale):
    lr, hr = subjects.badge(scale)
    inner = (..., slice(4, -4), slice(4, -4))  # the rest of the photo reaches the border
    torch.testing.assert_close(lr[inner], downsample(hr, scale)[inner], atol=1e-6, rtol=0)
