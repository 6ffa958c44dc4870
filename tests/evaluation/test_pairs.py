"""srlab.evaluation.pairs: which file belongs to which, and what folders of anybody's files score."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.datasets import folder
from srlab.data.images import mod_crop, quantize, to_uint8, write_image
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.metrics import FACE, Protocol, psnr
from srlab.evaluation.pairs import image_set, pair_names, score_folders
from srlab.evaluation.scoring import score


def picture(height=52, width=63, seed=0):
    coarse = torch.rand(1, 3, -(-height // 2), -(-width // 2), generator=torch.Generator().manual_seed(seed))
    return quantize(upsample(coarse, 2)[..., :height, :width])


def enlarge(lr):
    return upsample(lr, 4)


def save_grey(image, path):
    Image.fromarray(to_uint8(image)[0, 0].numpy()).save(path)


@pytest.fixture
def hr_dir(tmp_path):
    (tmp_path / "hr").mkdir()
    (tmp_path / "sr").mkdir()
    for i, name in enumerate(("baby", "bird")):
        write_image(picture(seed=i), tmp_path / "hr" / f"{name}.png")
    return tmp_path / "hr"


@pytest.fixture
def sr_dir(hr_dir):
    for name, hr in folder(hr_dir):
        write_image(enlarge(downsample(mod_crop(hr, 4), 4)), hr_dir.parent / "sr" / f"{name}_x4_SRGAN.png")
    return hr_dir.parent / "sr"


# --- Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["baby", "baby_x4", "baby-SRGAN", "baby x4", "baby.out", "babyx4", "babyx4_SRGAN", "baby(1)"]
)
def test_names_that_belong_to_baby(name):
    assert pair_names([name], ["baby"]) == ({"baby": name}, [])


@pytest.mark.parametrize("name", ["baby2", "babyface", "babyx", "babyxl", "Baby", "my_baby", "bab"])
def test_names_that_do_not_belong_to_baby_are_both_named(name):
    pairs, alone = pair_names([name], ["baby"])
    assert pairs == {}
    assert [line.split(" (")[0] for line in alone] == [name, "baby"]


def test_the_longest_beginning_wins():
    pairs, alone = pair_names(["img_1_2_x4", "img_1_sr", "img_10", "img_x4"], ["img", "img_1", "img_1_2", "img_10"])
    assert pairs == {"img": "img_x4", "img_1": "img_1_sr", "img_1_2": "img_1_2_x4", "img_10": "img_10"}
    assert alone == []


def test_img_1_is_not_the_beginning_of_img_10():
    assert pair_names(["img_10_x4", "img_1_x4"], ["img_1", "img_10"])[0] == {"img_1": "img_1_x4", "img_10": "img_10_x4"}


def test_the_exact_name_takes_its_hr_and_the_others_are_named():
    pairs, alone = pair_names(["baby_x4", "baby"], ["baby"])
    assert pairs == {"baby": "baby"}
    assert len(alone) == 1
    assert "baby_x4" in alone[0]


def test_two_for_one_hr_are_ambiguous_and_none_is_taken():
    pairs, alone = pair_names(["baby_SRGAN", "baby_ESRGAN", "bird"], ["baby", "bird"])
    assert pairs == {"bird": "bird"}
    assert alone == ["baby_SRGAN, baby_ESRGAN (more than one for baby)"]


@pytest.mark.parametrize("mark", ["_HR", "-HR", "HR", "_GT", "_gt"])
@pytest.mark.parametrize("end", ["", "_SRGAN", "x4", "_LR"])
def test_hr_names_that_all_end_in_the_same_mark_pair_without_it(mark, end):
    wanted = [f"img_00{i}_SRF_4{mark}" for i in (1, 2)]
    found = [f"img_00{i}_SRF_4{end}" for i in (1, 2)]
    assert pair_names(found, wanted) == (dict(zip(wanted, found, strict=True)), [])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("baby_SRGAN", ["baby_HR", "bird"]),  # not all have the mark
        ("baby_SRGAN", ["baby_HR", "bird_GT"]),  # nor the same one
        ("baby2_SRGAN", ["baby_HR", "bird_HR"]),
        ("babyface", ["babyHR"]),
        ("C_x4", ["CHR"]),  # a word in capitals
        ("_x4", ["_HR"]),
        ("img_10_x4", ["img_1_HR"]),
    ],
)
def test_a_mark_makes_no_false_pairs(name, wanted):
    pairs, alone = pair_names([name], wanted)
    assert pairs == {}
    assert [line.split(" (")[0] for line in alone] == [name, *wanted]


def test_a_name_with_the_mark_comes_before_one_without_it():
    pairs, alone = pair_names(["baby_SRGAN", "baby_HR_SRGAN", "bird_SRGAN"], ["baby_HR", "bird_HR"])
    assert pairs == {"baby_HR": "baby_HR_SRGAN", "bird_HR": "bird_SRGAN"}
    assert alone == ["baby_SRGAN (baby_HR has baby_HR_SRGAN already)"]


def test_two_without_the_mark_are_ambiguous_unless_one_is_the_name_itself():
    assert pair_names(["a_x", "a_y"], ["a_HR"]) == ({}, ["a_x, a_y (more than one for a_HR)"])
    assert pair_names(["a", "a_y"], ["a_HR"]) == ({"a_HR": "a"}, ["a_y (a_HR has a already)"])


def test_without_marks_too_the_longest_beginning_wins():
    wanted = ["img_1_HR", "img_1_2_HR"]
    assert pair_names(["img_1_2_x4", "img_1_x4"], wanted) == (
        {"img_1_HR": "img_1_x4", "img_1_2_HR": "img_1_2_x4"},
        [],
    )


# --- Scores --------------------------------------------------------------------------------------------------


def test_saved_sr_files_score_what_the_upscaler_scores(hr_dir, sr_dir):
    table, notes = score_folders(sr_dir, hr_dir, metrics=("psnr", "ssim", "gradient_ratio"))
    wanted = score(enlarge, folder(hr_dir), metrics=("psnr", "ssim", "gradient_ratio"))
    assert notes == []
    assert table["file"].tolist() == ["baby_x4_SRGAN.png", "bird_x4_SRGAN.png"]
    for column in ("psnr", "ssim", "gradient_ratio"):
        assert table[column].tolist() == pytest.approx(wanted[column].tolist(), abs=1e-9)


def test_what_stays_alone_is_named_and_the_rest_is_scored(hr_dir, sr_dir):
    (sr_dir / "bird_x4_SRGAN.png").rename(sr_dir / "stranger.png")
    table, notes = score_folders(sr_dir, hr_dir)
    assert table["image"].tolist() == ["baby"]
    assert [note.split(" (")[0] for note in notes] == ["not paired: stranger", "not paired: bird"]


def test_no_pair_at_all_is_an_error(hr_dir, tmp_path):
    write_image(picture(), tmp_path / "sr" / "other.png")
    with pytest.raises(SrlabError, match=r"No image in .*sr has the name of one in .*hr \(such as other and baby\)"):
        score_folders(tmp_path / "sr", hr_dir)


def test_a_folder_that_is_missing_or_empty_is_named(hr_dir, tmp_path):
    with pytest.raises(SrlabError, match=r"no images in .*sr"):
        score_folders(tmp_path / "sr", hr_dir)
    with pytest.raises(SrlabError, match=r"no folder .*nowhere"):
        score_folders(tmp_path / "nowhere", hr_dir)


def test_an_sr_of_the_full_hr_size_is_compared_uncut(hr_dir, sr_dir):
    for name, hr in folder(hr_dir):  # 63x52: no multiple of 4 in width
        write_image((hr + 0.1).clamp(0, 1), sr_dir / f"{name}_x4_SRGAN.png")
    table, _ = score_folders(sr_dir, hr_dir, protocol=FACE)
    hr = picture()
    assert table["psnr"][0] == pytest.approx(float(psnr(quantize((hr + 0.1).clamp(0, 1)), hr, FACE)), abs=1e-4)


@pytest.mark.parametrize("size", [(48, 60), (52, 64), (13, 15), (60, 52)])
def test_another_size_is_an_error_with_the_file_and_both_sizes(hr_dir, sr_dir, size):
    height, width = size
    write_image(picture(height, width), sr_dir / "bird_x4_SRGAN.png")
    with pytest.raises(SrlabError, match=rf"bird_x4_SRGAN\.png has {width}x{height} pixels but its HR image 60x52"):
        score_folders(sr_dir, hr_dir)


def test_a_wrong_scale_shows_in_the_sizes(hr_dir, sr_dir):
    with pytest.raises(SrlabError, match="60x52 pixels but its HR image 63x51"):
        score_folders(sr_dir, hr_dir, scale=3)


# --- Grey ----------------------------------------------------------------------------------------------------


@pytest.fixture
def grey_dirs(tmp_path):
    """Folders with one grey HR and its grey SR; the pair, and its 1.32 dB lower PSNR on the grey values."""
    (tmp_path / "hr").mkdir()
    (tmp_path / "sr").mkdir()
    hr = picture(48, 64)[:, :1]
    sr = quantize(enlarge(downsample(hr, 4)))
    save_grey(hr, tmp_path / "hr" / "bridge.png")
    save_grey(sr, tmp_path / "sr" / "bridge.png")
    return tmp_path, sr, hr, float(psnr(sr, hr))


def test_two_grey_files_are_scored_on_their_grey_values(grey_dirs):
    path, _, _, wanted = grey_dirs
    table, notes = score_folders(path / "sr", path / "hr")
    assert notes == []
    assert table["psnr"][0] == pytest.approx(wanted, abs=1e-4)
    assert table["psnr"][0] == pytest.approx(score(enlarge, folder(path / "hr"))["psnr"][0], abs=1e-4)


def test_a_colour_sr_of_a_grey_hr_is_scored_on_grey_values_as_the_network_that_made_it(grey_dirs):
    path, sr, _, wanted = grey_dirs
    (path / "sr" / "bridge.png").unlink()
    write_image(sr.expand(-1, 3, -1, -1), path / "sr" / "bridge.png")
    table, notes = score_folders(path / "sr", path / "hr")
    assert table["psnr"][0] == pytest.approx(wanted, abs=1e-4)
    assert notes == ["bridge.png is colour and its HR is not: their grey values are scored"]
    table, notes = score_folders(path / "sr", path / "hr", protocol=FACE)
    assert notes == ["bridge.png is colour and its HR is not: both are scored as colour"]
    assert table["psnr"][0] == pytest.approx(float(psnr(sr, picture(48, 64)[:, :1], FACE)), abs=1e-4)


def test_a_grey_sr_of_a_colour_hr_loses_its_colour_in_rgb_and_is_scored_as_luma_in_y(grey_dirs):
    path, sr, _, _ = grey_dirs
    hr = picture(48, 64)
    write_image(hr, path / "hr" / "bridge.png")
    table, notes = score_folders(path / "sr", path / "hr", metrics=("psnr", "saturation_ratio"))
    assert notes == ["bridge.png is grey and its HR is not: both are scored as colour"]
    assert table["psnr"][0] == pytest.approx(float(psnr(sr.expand(-1, 3, -1, -1), hr)), abs=1e-4)
    assert table["saturation_ratio"][0] == 0


# --- Bad files -----------------------------------------------------------------------------------------------


def test_a_file_that_is_no_image_or_is_cut_short_is_named(hr_dir, sr_dir):
    file = sr_dir / "bird_x4_SRGAN.png"
    whole = file.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(SrlabError, match=r"bird_x4_SRGAN\.png"):
            score_folders(sr_dir, hr_dir)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 8), (8, 60)])
def test_an_image_that_the_crop_eats_up_is_named(tmp_path, height, width):
    for name in ("hr", "sr"):
        write_image(picture(height, width), tmp_path / name / "tiny.png")
    for metrics in (["psnr"], ["ssim"], ["ms_ssim"]):
        with pytest.raises(
            SrlabError, match=rf"tiny\.png: An image of {width}x{height} pixels has nothing left after a crop of 4"
        ):
            score_folders(tmp_path / "sr", tmp_path / "hr", metrics=metrics)


def test_one_pixel_can_be_scored_where_nothing_is_cropped(tmp_path):
    for name, level in (("hr", 0.0), ("sr", 1.0)):
        write_image(torch.full((1, 3, 1, 1), level), tmp_path / name / "tiny.png")
    table, _ = score_folders(
        tmp_path / "sr", tmp_path / "hr", protocol=FACE, metrics=["psnr", "ms_ssim", "energy_error"]
    )
    assert table["psnr"][0] == 0
    assert math.isnan(table["ms_ssim"][0])
    assert math.isnan(table["energy_error"][0])
    table, _ = score_folders(tmp_path / "sr", tmp_path / "hr", protocol=FACE, metrics=["ssim", "gradient_ratio"])
    assert table[["ssim", "gradient_ratio"]].isna().all(axis=None)


def test_a_float_tiff_with_nan_is_refused_by_name(tmp_path):
    for name in ("hr", "sr"):
        (tmp_path / name).mkdir()
        pixels = np.full((20, 20), 0.5, dtype=np.float32)
        pixels[3, 3] = np.nan if name == "sr" else 0
        Image.fromarray(pixels).save(tmp_path / name / "a.tif")
    for protocol in (Protocol("y", 0, False), Protocol("y", 0, True)):
        with pytest.raises(SrlabError, match=r"sr.a\.tif.*NaN"):
            score_folders(tmp_path / "sr", tmp_path / "hr", protocol=protocol)
    with pytest.raises(SrlabError, match=r"sr.a\.tif.*NaN"):
        folder(tmp_path / "sr")


# --- LR and HR -----------------------------------------------------------------------------------------------


def test_lr_files_are_paired_with_hr_and_used(hr_dir, tmp_path):
    for name, hr in folder(hr_dir):
        write_image(downsample(mod_crop(hr, 4), 4), tmp_path / "lr" / f"{name}x4.png")
    images, notes = image_set(hr_dir, tmp_path / "lr")
    assert notes == []
    assert score(enlarge, images).equals(score(enlarge, folder(hr_dir)))
    write_image(torch.zeros(3, 13, 15), tmp_path / "lr" / "birdx4.png")
    images, _ = image_set(hr_dir, tmp_path / "lr")
    assert score(enlarge, images)["psnr"][1] < 10


def test_an_hr_without_lr_is_left_out_and_named(hr_dir, tmp_path):
    write_image(torch.zeros(3, 13, 15), tmp_path / "lr" / "bird.png")
    images, notes = image_set(hr_dir, tmp_path / "lr")
    assert images.names == ["bird"]
    assert notes == ["not paired: baby (an HR image without a partner)"]


def test_an_lr_of_the_wrong_size_is_named_with_both_sizes(hr_dir, tmp_path):
    write_image(torch.zeros(3, 26, 30), tmp_path / "lr" / "bird.png")
    with pytest.raises(SrlabError, match=r"bird\.png is 30x26, which is not 1/4 of its HR image \(63x52\)"):
        image_set(hr_dir, tmp_path / "lr")
