"""srlab.evaluation.folders: which file belongs to which, and what folders of anybody's files score."""

import pytest
import torch
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.datasets import folder
from srlab.data.images import mod_crop, quantize, to_uint8, write_image
from srlab.data.resampling import downsample, upsample
from srlab.evaluation.folders import evaluate_folders, pair_names
from srlab.evaluation.metrics import FACE, PAPER, psnr
from srlab.evaluation.scoring import evaluate


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


NAMES = ["baby", "baby_x4", "baby-SRGAN", "baby x4", "baby.out", "babyx4", "babyx4_SRGAN", "baby(1)"]
STRANGERS = {
    "baby": ["baby2", "babyface", "babyx", "babyxl", "Baby", "my_baby", "bab"],
    "baby_HR": ["baby2_SRGAN"],
    "babyHR": ["babyface"],
    "CHR": ["C_x4"],  # a word in capitals, and no mark
    "_HR": ["_x4"],
    "img_1_HR": ["img_10_x4"],
}


@pytest.mark.parametrize("mark", ["", "_HR", "-HR", "HR", "_GT", "_gt"])
def test_names_that_belong_to_baby_with_or_without_a_mark(mark):
    for name in NAMES:
        assert pair_names([name], ["baby" + mark]) == ({"baby" + mark: name}, [])


@pytest.mark.parametrize("hr", STRANGERS)
def test_names_that_do_not_belong_together_are_both_named(hr):
    for name in STRANGERS[hr]:
        pairs, alone = pair_names([name], [hr])
        assert pairs == {}
        assert [line.split(" (")[0] for line in alone] == [name, hr]


@pytest.mark.parametrize(
    ("found", "wanted", "pairs", "alone"),
    [
        (["img_1_2_x4", "img_1_sr", "img_10", "img_x4"], ["img", "img_1", "img_1_2", "img_10"], [3, 1, 0, 2], []),
        (["img_10_x4", "img_1_x4"], ["img_1", "img_10"], [1, 0], []),
        (["img_1_2_x4", "img_1_x4"], ["img_1_HR", "img_1_2_HR"], [1, 0], []),  # the longest beginning wins
        (["baby_x4", "baby"], ["baby"], [1], ["baby_x4 (baby has baby already)"]),
        (["a", "a_y"], ["a_HR"], [0], ["a_y (a_HR has a already)"]),
        (["a_HR", "a_y"], ["a_HR"], [0], ["a_y (a_HR has a_HR already)"]),
        (["a_x", "a_y", "b"], ["a", "b"], [None, 2], ["a_x, a_y (more than one for a)"]),
        (["a_x", "a_y"], ["a_HR"], [None], ["a_x, a_y (more than one for a_HR)"]),
    ],
)
def test_who_pairs_when_there_are_several(found, wanted, pairs, alone):
    expected = {hr: found[place] for hr, place in zip(wanted, pairs, strict=True) if place is not None}
    assert pair_names(found, wanted) == (expected, alone)


# --- Scores --------------------------------------------------------------------------------------------------


def test_saved_sr_files_score_what_the_upscaler_scores(hr_dir, sr_dir):
    table, notes = evaluate_folders(sr_dir, hr_dir, metrics=("psnr", "ssim", "gradient_ratio"))
    wanted = evaluate(enlarge, folder(hr_dir), metrics=("psnr", "ssim", "gradient_ratio"))
    assert notes == []
    assert table["file"].tolist() == ["baby_x4_SRGAN.png", "bird_x4_SRGAN.png"]
    for column in ("psnr", "ssim", "gradient_ratio"):
        assert table[column].tolist() == pytest.approx(wanted[column].tolist(), abs=1e-9)


def test_what_stays_alone_is_named_and_the_rest_is_scored(hr_dir, sr_dir):
    (sr_dir / "bird_x4_SRGAN.png").rename(sr_dir / "other.png")
    table, notes = evaluate_folders(sr_dir, hr_dir)
    assert table["image"].tolist() == ["baby"]
    assert [note.split(" (")[0] for note in notes] == ["not paired: other", "not paired: bird"]
    (sr_dir / "baby_x4_SRGAN.png").unlink()
    with pytest.raises(SrlabError, match=r"No image in .*sr has the name of one in .*hr \(such as other and baby\)"):
        evaluate_folders(sr_dir, hr_dir)


def test_an_sr_of_the_full_hr_size_is_compared_uncut(hr_dir, sr_dir):
    for name, hr in folder(hr_dir):  # 63x52: no multiple of 4 in width
        write_image((hr + 0.1).clamp(0, 1), sr_dir / f"{name}_x4_SRGAN.png")
    table, _ = evaluate_folders(sr_dir, hr_dir, protocol=FACE)
    hr = picture()
    assert table["psnr"][0] == pytest.approx(float(psnr(quantize((hr + 0.1).clamp(0, 1)), hr, FACE)), abs=1e-4)


def test_another_size_is_an_error_with_the_file_and_both_sizes(hr_dir, sr_dir):
    for scale, cut in ((4, "60x52"), (3, "63x51")):
        write_image(picture(48, 60), sr_dir / "baby_x4_SRGAN.png")
        with pytest.raises(SrlabError, match=rf"baby_x4_SRGAN\.png: It has 60x48 pixels but its HR image {cut}"):
            evaluate_folders(sr_dir, hr_dir, scale)


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


def test_a_grey_hr_is_scored_on_grey_values_also_of_a_colour_sr_as_the_network_that_made_it(grey_dirs):
    path, sr, hr, wanted = grey_dirs
    scored = evaluate(enlarge, folder(path / "hr"))["psnr"][0]
    for write in (save_grey, lambda image, file: write_image(image.expand(-1, 3, -1, -1), file)):
        (path / "sr" / "bridge.png").unlink()
        write(sr, path / "sr" / "bridge.png")
        psnr_of = {p: evaluate_folders(path / "sr", path / "hr", protocol=p)[0]["psnr"][0] for p in (PAPER, FACE)}
        assert psnr_of[PAPER] == pytest.approx(wanted, abs=1e-4) == pytest.approx(scored, abs=1e-4)
        assert psnr_of[FACE] == pytest.approx(float(psnr(sr, hr, FACE)), abs=1e-4)
