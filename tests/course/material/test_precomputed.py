"""Test the precomputed images: the whole right half of the gravel, as split in labs 03 and 04."""

import json

import pytest

import srlab
import srlab_course as course
from docs import material
from srlab.evaluation import perceptual
from srlab_course.material import precomputed


@pytest.mark.parametrize("name", ["srgan_800", "average_800", "rrdb_standard_800", "srgan_12000", "esrgan_12000"])
def test_precomputed_image_is_right_half_and_sharp(name):
    hr = srlab.mod_crop(course.split_photo("gravel")[1]["gravel"], 4)
    sr = precomputed.picture(name)
    assert sr.shape == hr.shape
    assert srlab.psnr(sr, hr).item() > 20
    assert 0.8 < perceptual.gradient_ratio(sr, hr).item() < 1.1


def test_each_image_has_a_command_that_computes_it():
    stored = {file.stem for folder in (precomputed.FOLDER, precomputed.ROWS) for file in folder.iterdir()}
    computed = {*material.GRAVEL, *material.PHOTOS, *material.HALVES}
    assert stored == computed | {"riddle", "published_gravel", "scores"}


def test_precomputed_row_ends_with_hr():
    for name, scores in json.loads(precomputed.ROWS.joinpath("scores.json").read_text(encoding="utf-8")).items():
        pictures, notes = precomputed.row(name)
        assert {tuple(picture.shape) for picture in pictures.values()} == {(1, 3, 144, 176)}
        assert [*pictures] == [*scores, "HR"]
        assert notes.keys() == scores.keys() >= {"Real-ESRGAN"}
