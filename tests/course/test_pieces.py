"""Pieces of a photo that shrink to one LR patch."""

import pytest

import srlab
from srlab.course.exercise import sample
from srlab.course.pieces import pieces_that_fit, shrink
from srlab.errors import SrlabError


@pytest.fixture(scope="module")
def gravel():
    return srlab.luma(srlab.halves("gravel")[1]["gravel"])


def test_all_pieces_shrink_to_the_patch_and_are_different_places(gravel):
    scale = 2
    pieces = pieces_that_fit(gravel, 10, 5, side=6, count=20, scale=scale)
    top, left, side = 10 * scale, 5 * scale, 6 * scale
    true = gravel[..., top : top + side, left : left + side]
    assert pieces.shape == (20, 1, side, side)
    assert (shrink(pieces, scale) - shrink(true, scale)).abs().max() < 1 / 255
    for one in range(20):
        assert (pieces[one] - true[0]).abs().mean() > 0.01, "the patch itself isn't among them"
        assert all((pieces[one] - pieces[other]).abs().mean() > 0.01 for other in range(one))


def test_the_most_similar_place_comes_first():
    """A photo with the same mark at two places: one finds the other, wherever else it looks."""
    photo = sample(1, 1, 96, 96, low=0.4, high=0.6)
    mark = sample(32, 32, seed=1)
    photo[..., :32, :32] = photo[..., 60:92, 60:92] = mark
    first = pieces_that_fit(photo, 0, 0, count=3)[0, 0]
    assert (first - mark).abs().max() < 0.15


def test_a_small_photo_gives_fewer_and_too_small_a_one_none(gravel):
    assert 1 <= len(pieces_that_fit(gravel[..., :96, :96], 0, 0)) < 50
    with pytest.raises(SrlabError, match="too small"):
        pieces_that_fit(gravel[..., :48, :48], 2, 2)
    with pytest.raises(SrlabError, match="doesn't lie within the photo"):
        pieces_that_fit(gravel, 200, 0)
