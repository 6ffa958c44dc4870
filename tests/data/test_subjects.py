"""srlab.data.subjects: a photo in two halves, and one sentence for each photo that won't do."""

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data import datasets, subjects


@pytest.fixture
def save(tmp_path):
    """Writes pixels as a file, and gives its path."""

    def write(pixels, name="own.png"):
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return write


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_halves_of_a_photo_share_no_pixel_and_lose_none():
    whole = datasets.photos("validation").subset("brick")
    left, right = subjects.halves("brick")
    assert torch.equal(torch.cat([left["brick"], right["brick"]], dim=3), whole["brick"])
    assert left["brick"].shape == right["brick"].shape
    assert left.grey == right.grey == whole.grey


def test_the_right_half_of_the_gravel_is_not_among_the_training_photos():
    left, right = subjects.halves("gravel")
    assert torch.equal(datasets.photos("train")["gravel"], left["gravel"])
    assert left["gravel"].shape == right["gravel"].shape
    assert not torch.equal(left["gravel"], right["gravel"])


@pytest.mark.parametrize(
    ("width", "gap", "sizes"), [(400, 100, (150, 150)), (401, 100, (150, 151)), (401, 0, (200, 201))]
)
def test_the_halves_of_a_photo_of_ones_own_lie_a_gap_apart(save, width, gap, sizes):
    pixels = noise(120, width)
    left, right = subjects.halves(save(pixels), gap)
    found = [half.hr[0].permute(1, 2, 0).numpy() for half in (left, right)]
    assert tuple(half.shape[1] for half in found) == sizes
    assert (found[0] == pixels[:, : sizes[0]]).all()
    assert (found[1] == pixels[:, -sizes[1] :]).all()
    assert left.names == right.names == ["own"]


def test_of_a_large_photo_the_middle_is_taken(save):
    pixels = noise(1100, 1300)
    left, right = subjects.halves(save(pixels))
    assert left.hr[0].shape == right.hr[0].shape == (3, subjects.LARGEST, subjects.LARGEST // 2)
    assert (left.hr[0].permute(1, 2, 0).numpy() == pixels[38:1062, 138:650]).all()


def test_a_grey_photo_is_known_as_grey(save):
    left, _ = subjects.halves(save(noise(100, 200)[..., 0]))
    assert left.grey == {"own"}
    assert left.hr[0].shape == (3, 100, 100)


SMOOTH = np.linspace(0, 255, 400).astype(np.uint8)[None, :, None].repeat(200, 0).repeat(3, 2)
HALF_FLAT = np.concatenate([noise(200, 200), np.full((200, 200, 3), 90, np.uint8)], axis=1)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (noise(300, 290), "is 290 x 300 pixels; a subject is at least 292 wide and 96 high"),
        (noise(80, 600), "is 600 x 80 pixels; a subject is at least 292 wide and 96 high"),
        (SMOOTH, "The left half of .* is so flat or so smooth that bicubic already brings it back"),
        (np.full((200, 400), 128, np.uint8), "The left half of .* is so flat"),
        (HALF_FLAT, "The right half of .* is so flat"),
    ],
    ids=["narrow", "low", "smooth", "flat", "half flat"],
)
def test_a_photo_of_which_a_half_teaches_or_shows_nothing_is_refused(save, pixels, said):
    with pytest.raises(SrlabError, match=said):
        subjects.halves(save(pixels), gap=100)


def test_a_subject_that_is_neither_a_photo_of_the_course_nor_a_file_is_refused(tmp_path):
    with pytest.raises(SrlabError, match=r"subject sand is neither a photo of the course \(camera, .*\) nor a file"):
        subjects.halves("sand")
    with pytest.raises(SrlabError, match="nor a file that is there"):
        subjects.halves(tmp_path)
    (tmp_path / "no.png").write_text("no image")
    with pytest.raises(SrlabError, match="is not an image that can be read"):
        subjects.halves(tmp_path / "no.png")
