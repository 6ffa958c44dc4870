"""srlab.data.subjects: a photo in two halves, and one sentence for each photo that won't do."""

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.data import datasets, subjects
from srlab.data.images import read_pixels
from srlab.errors import SrlabError
from srlab.models.weights import load_shipped


@pytest.fixture
def save(tmp_path):
    """Writes pixels as a file, and gives its path."""

    def write(pixels, name="own.png"):
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return write


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["brick", "gravel"])
def test_halves_of_a_photo_share_no_pixel_and_lose_none_and_only_the_left_one_is_trained_on(name):
    left, right = subjects.halves(name)
    whole = read_pixels(datasets.photo_file(name)).expand(-1, -1, 3).permute(2, 0, 1)
    assert torch.equal(torch.cat([left.hr[0], right.hr[0]], dim=2), whole)
    assert left.hr[0].shape == right.hr[0].shape
    assert left.grey == right.grey == {name}
    if name in (train := datasets.photos("train")).names:
        assert torch.equal(train[name], left[name])


def test_the_halves_of_a_photo_of_ones_own_lie_a_gap_apart_and_an_odd_column_belongs_to_the_right_one(save):
    pixels = noise(120, 401)
    left, right = subjects.halves(save(pixels))
    whole = torch.from_numpy(pixels).permute(2, 0, 1)
    assert left.grey == frozenset()
    assert subjects.halves(save(pixels[..., 0]))[0].grey == {"own"}
    assert torch.equal(left.hr[0], whole[..., :132])
    assert torch.equal(right.hr[0], whole[..., 132 + subjects.GAP :])


def test_the_gap_is_as_wide_as_the_generators_of_labs_03_and_04_see():
    radii = [load_shipped()[method].radius for method in ("MSRResNet", "RRDB")]
    assert 4 * max(radii) == subjects.GAP


def test_of_a_large_photo_the_middle_is_taken_and_the_name_says_so(save):
    pixels = noise(1100, 1300)
    left, right = subjects.halves(save(pixels))
    assert left.hr[0].shape == right.hr[0].shape == (3, subjects.LARGEST, 444)
    assert (left.hr[0].permute(1, 2, 0).numpy() == pixels[38:1062, 138:582]).all()
    assert left.name == "left half of the middle of own"


SMOOTH = np.linspace(0, 255, 400).astype(np.uint8)[None, :, None].repeat(200, 0).repeat(3, 2)
HALF_FLAT = np.concatenate([noise(200, 200), np.full((200, 200, 3), 90, np.uint8)], axis=1)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (noise(300, 320), "is 320 x 300 pixels. A subject must be at least 328 wide and 96 high"),
        (SMOOTH, "The left half of .* is so smooth that bicubic .* downscale it to half its size first"),
        (HALF_FLAT, "The right half of .* is so smooth"),
    ],
    ids=["narrow", "smooth", "half flat"],
)
def test_a_photo_of_which_a_half_teaches_or_shows_nothing_is_refused(save, pixels, said):
    with pytest.raises(SrlabError, match=said):
        subjects.halves(save(pixels))


def test_a_photo_as_soft_as_a_phones_will_do(save):
    """Gravel as a camera would take it that is less sharp than its pixels are fine."""
    whole = Image.open(datasets.photo_file("gravel")).convert("RGB").crop((0, 0, 256, 128))
    subjects.halves(save(np.asarray(whole.resize((512, 256), Image.Resampling.BICUBIC))))


def test_a_subject_that_is_neither_a_photo_of_the_course_nor_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SrlabError, match=rf"There is no photo {tmp_path}/sand; .*, or one of the course's: camera, "):
        subjects.halves("sand")
    with pytest.raises(SrlabError, match="is a folder; pass one photo in it, or the folder as images"):
        subjects.halves(tmp_path)
    (tmp_path / "a\nb.png").touch()
    with pytest.raises(SrlabError, match=r"not a line of text\. Rename it"):
        subjects.halves(tmp_path / "a\nb.png")
