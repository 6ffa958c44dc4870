"""Test the content-loss study's rotation of patches: its draws, its corners and its angles."""

import hashlib

import pytest
import torch

from srlab.errors import SrlabError
from studies.content_loss.rotated import RotatedSampler
from tests.data.test_patch_sampler import image_set, random_set

WHITE = torch.full((3, 40, 40), 255, dtype=torch.uint8)


@pytest.mark.parametrize(("black_corners", "digest"), [(True, "7b05f22c23c81ada"), (False, "b184f3268f45ec76")])
def test_rotated_patches_of_seed_are_fixed(black_corners, digest):
    """Compare hashes; otherwise a row could resume with other patches after an update."""
    sampler, found = RotatedSampler(random_set(), 4, 16, 3, seed=5, black_corners=black_corners), hashlib.sha256()
    for _ in range(3):
        found.update((next(sampler)[1] * 255).byte().numpy())
    assert found.hexdigest().startswith(digest)


def test_corners_are_black_only_as_coded():
    lr, hr = next(RotatedSampler(image_set(WHITE), 4, 24, 50))
    assert hr.min() == lr.min() == 1
    small = image_set(WHITE[:, :24, :24])  # no larger than the patch: it is cropped before rotation
    _, hr = next(RotatedSampler(small, 4, 24, 50, black_corners=True))
    assert set(hr.unique().tolist()) == {0, 1}
    assert 0 < (hr == 0).float().mean() < 0.1
    assert hr[..., 8:16, 8:16].min() == 1
    corners = hr[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).any(dim=1).float().mean() > 0.8
    with pytest.raises(SrlabError, match="has at least 28 x 28 pixels"):
        RotatedSampler(small, 4, 24, 2)


def test_rotation_of_ramp():
    ramp = (torch.arange(80) * 3).to(torch.uint8).expand(3, 80, 80)
    hr = next(RotatedSampler(image_set(ramp), 4, 24, 300, augment="none", seed=1))[1][:, 0].double() * 255
    # A plane fitted to each patch: value = mean + down * y + right * x, with x and y from the center.
    axis = torch.arange(24).double() - 23 / 2
    down, right = ((hr * along).sum((1, 2)) / (24 * axis.square().sum()) for along in (axis[:, None], axis))
    plane = hr.mean((1, 2))[:, None, None] + down[:, None, None] * axis[:, None] + right[:, None, None] * axis
    assert (hr - plane).abs().max() <= 1  # still a ramp, up to rounding: no corner is filled
    angles = torch.atan2(down, right).rad2deg()
    assert torch.hypot(down, right).sub(3).abs().max() < 0.05  # with the same slope
    assert 9 < min(angles.max(), -angles.min()) <= max(angles.max(), -angles.min()) < 10.3
    assert angles.abs().median() == pytest.approx(5, abs=1)  # uniform
