"""Test crops of a photo that downscale to the same LR patch."""

import itertools

import pytest

import srlab
import srlab_course as course
from srlab_course.feedback.exercise import sample
from srlab_course.material.pieces import pieces_that_fit, to_lr


@pytest.fixture(scope="module")
def gravel():
    return srlab.luma(course.split_photo("gravel")[1]["gravel"])


def test_crops_fit_lr_patch_and_are_distinct(gravel):
    pieces = pieces_that_fit(gravel, 10, 5, side=6, count=20, scale=2)
    true = gravel[..., 20:32, 10:22]
    assert pieces.shape == (20, 1, 12, 12)
    assert (to_lr(pieces, 2) - to_lr(true, 2)).abs().max() < 1 / 255
    for one, other in itertools.combinations([true[0], *pieces], 2):  # the patch itself is excluded
        assert (one - other).abs().mean() > 0.01


def test_most_similar_crop_is_first():
    """Check that a photo with the same mark at two locations, one of them brighter, finds one from the other."""
    photo = sample(1, 1, 96, 96, low=0.4, high=0.6)
    mark = sample(32, 32, seed=1)
    photo[..., :32, :32], photo[..., 60:92, 60:92] = mark, mark + 0.2
    first = pieces_that_fit(photo, 0, 0, count=3)[0, 0]
    assert (first - mark).abs().max() < 0.15


def test_small_photo_has_fewer_crops(gravel):
    assert 1 <= len(pieces_that_fit(gravel[..., :96, :96], 0, 0)) < 50


@pytest.mark.parametrize(("top", "left"), [(200, 0), (0, 200), (-1, 0), (0, -1), (121, 0), (0, 57)])
def test_patch_outside_the_photo_is_an_error(gravel, top, left):
    with pytest.raises((IndexError, RuntimeError)):
        pieces_that_fit(gravel, top, left)
