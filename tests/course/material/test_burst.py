"""Test the photos of a hand that shakes: moving, the sensor, and reading a series."""

import pytest
import torch

import srlab
from srlab import SrlabError
from srlab_course.feedback.exercise import sample
from srlab_course.material import burst

SCENE = burst.smoothed(sample(1, 3, 32, 48))  # without the finest wave, which no shift by half a pixel keeps


def test_shift_by_whole_pixels_rolls_and_fractions_add_up():
    shifts = torch.tensor([[2.0, -3.0], [0.0, 5.0]])
    rolled = [SCENE.roll((2, -3), (-2, -1)), SCENE.roll(5, -1)]
    torch.testing.assert_close(burst.move(SCENE, shifts), torch.cat(rolled), atol=1e-5, rtol=0)
    there = burst.move(SCENE, torch.tensor([[0.3, -1.7]]))
    torch.testing.assert_close(burst.move(there, torch.tensor([[-0.3, 1.7]])), SCENE, atol=1e-5, rtol=0)


def test_sensor_reads_back_what_is_put_onto_it():
    lr = sample(2, 3, 4, 6)
    placed = burst.onto_sensor(lr)
    assert placed.shape == (2, 3, 16, 24)
    assert torch.equal(burst.sensor(placed), lr)
    assert (placed > 0).float().mean() == pytest.approx(1 / 4, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_hand_reaches_each_place_of_a_block_once(seed):
    shifts = burst.hand_shifts(torch.Generator().manual_seed(seed))
    assert torch.equal(shifts[0], torch.zeros(2))
    assert len({tuple(place) for place in (shifts - shifts.min(0).values).long().clamp(max=3).tolist()}) >= 12
    assert (shifts.amax(0) - shifts.amin(0) < 4).all()


def test_photos_are_8_bit_files_of_the_moved_scene():
    shifts = torch.tensor([[0.0, 0.0], [4.0, -4.0]])
    photos = burst.take_photos(SCENE, shifts, burst.sensor, 0.0, torch.Generator())
    assert torch.equal(photos, srlab.quantize(photos))
    torch.testing.assert_close(photos[1], photos[0].roll((1, -1), (-2, -1)), atol=0.005, rtol=0)


def test_series_is_aligned_by_whole_pixels_in_order_of_names(tmp_path):
    scene = srlab.bundled_photos("validation")["chelsea"][0, :, :120, :160]
    for name, moved in {"2": (3, -5), "1": (0, 0), "3": (-2, 1)}.items():
        srlab.write_image(scene.roll(moved, (-2, -1))[None], tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").touch()
    series = burst.read_series(tmp_path)
    assert series.shape == (3, 3, 90, 120)
    assert torch.equal(series, series[:1].expand_as(series))
    assert torch.equal(series[0], srlab.quantize(scene)[:, 15:105, 20:140])


def test_unusable_series_is_explained(tmp_path):
    srlab.write_image(sample(1, 3, 8, 12), tmp_path / "a.png")
    with pytest.raises(SrlabError, match="has 1 photos"):
        burst.read_series(tmp_path)
    srlab.write_image(sample(1, 3, 8, 8), tmp_path / "b.png")
    with pytest.raises(SrlabError, match=r"b\.png .* has another size than a\.png"):
        burst.read_series(tmp_path)
    srlab.write_image(sample(1, 3, 8, 12).roll(4, -2), tmp_path / "b.png")
    with pytest.raises(SrlabError, match=r"b\.png .* shows another part of the scene"):
        burst.read_series(tmp_path)
