"""srlab.evaluation.folders: which file belongs to which, and what folders of anybody's files score."""

import unicodedata

import pytest
import torch
from PIL import Image

from srlab.data.datasets import load_images
from srlab.data.images import mod_crop, quantize, to_uint8, write_image
from srlab.data.resampling import downsample, upsample
from srlab.errors import SrlabError
from srlab.evaluation.folders import evaluate_folders, pair_names
from srlab.evaluation.metrics import FACE, PAPER, psnr
from srlab.evaluation.scoring import evaluate


def picture(height=52, width=63, seed=0):
    coarse = torch.rand(1, 3, -(-height // 2), -(-width // 2), generator=torch.Generator().manual_seed(seed))
    return quantize(upsample(coarse, 2)[..., :height, :width])


def enlarge(lr):
    return upsample(lr, 4)


@pytest.fixture
def hr_dir(tmp_path):
    (tmp_path / "hr").mkdir()
    (tmp_path / "sr").mkdir()
    for i, name in enumerate(("baby", "bird")):
        write_image(picture(seed=i), tmp_path / "hr" / f"{name}.png")
    return tmp_path / "hr"


@pytest.fixture
def sr_dir(hr_dir):
    for name, hr in load_images(hr_dir):
        write_image(enlarge(downsample(mod_crop(hr, 4), 4)), hr_dir.parent / "sr" / f"{name}_x4_SRGAN.png")
    return hr_dir.parent / "sr"


# --- Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "_HR", "-HR", "_gt"])
def test_names_that_belong_to_baby_with_or_without_a_mark(mark):
    for name in ("baby", "baby_x4", "baby-SRGAN", "baby x4", "babyx4_SRGAN", "baby(1)"):
        assert pair_names([name], ["baby" + mark]) == ({"baby" + mark: name}, [])


@pytest.mark.parametrize(
    ("name", "hr"),
    [
        *((name, "baby") for name in ("baby2", "babyface", "babyx", "my_baby", "bab")),
        *[("baby2_SRGAN", "baby_HR"), ("C_x4", "CHR"), ("img_10_x4", "img_1_HR")],
    ],
)
def test_names_that_do_not_belong_together_are_both_named(name, hr):
    pairs, alone = pair_names([name], [hr])
    assert pairs == {}
    assert [line.split(" (")[0] for line in alone] == [name, hr]


def test_the_longest_beginning_wins_and_two_for_one_are_named():
    found, wanted = ["img_1_2_x4", "img_1_sr", "img_10", "img_x4"], ["img", "img_1_HR", "img_1_2_HR", "img_10"]
    assert pair_names(found, wanted) == (dict(zip(wanted, (found[i] for i in (3, 1, 0, 2)), strict=True)), [])
    assert pair_names(["a_x", "a_y", "b"], ["a", "b"]) == ({"b": "b"}, ["a_x, a_y (more than one for a)"])


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_pair_in_whatever_form_a_system_writes_them(forms):
    hr, sr = (unicodedata.normalize(form, "bébé") for form in forms)
    assert pair_names([f"{sr}_x4"], [hr]) == ({hr: f"{sr}_x4"}, [])


# --- Scores --------------------------------------------------------------------------------------------------


def test_saved_sr_files_score_what_the_upscaler_scores(hr_dir, sr_dir):
    table, notes = evaluate_folders(sr_dir, hr_dir, metrics=("psnr", "ssim", "gradient_ratio"))
    wanted = evaluate(enlarge, load_images(hr_dir), metrics=("psnr", "ssim", "gradient_ratio"))
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
    for name, hr in load_images(hr_dir):  # 63x52: no multiple of 4 in width
        write_image((hr + 0.1).clamp(0, 1), sr_dir / f"{name}_x4_SRGAN.png")
    table, _ = evaluate_folders(sr_dir, hr_dir, protocol=FACE)
    hr = picture()
    assert table["psnr"][0] == pytest.approx(float(psnr(quantize((hr + 0.1).clamp(0, 1)), hr, FACE)), abs=1e-4)


def test_another_size_is_an_error_with_the_file_and_both_sizes(hr_dir, sr_dir):
    write_image(picture(48, 60), sr_dir / "baby_x4_SRGAN.png")
    with pytest.raises(SrlabError, match=r"baby_x4_SRGAN\.png: It has 60x48 pixels but its HR image 63x51"):
        evaluate_folders(sr_dir, hr_dir, 3)


def test_a_grey_hr_is_scored_on_grey_values_also_of_a_colour_sr_as_the_network_that_made_it(tmp_path):
    hr = picture(48, 64)[:, :1]
    sr = quantize(enlarge(downsample(hr, 4)))
    for name, image in (("hr", hr), ("sr", sr)):
        (tmp_path / name).mkdir()
        Image.fromarray(to_uint8(image)[0, 0].numpy()).save(tmp_path / name / "bridge.png")
    scored = evaluate(enlarge, load_images(tmp_path / "hr"))["psnr"][0]
    for _ in range(2):
        found = [evaluate_folders(tmp_path / "sr", tmp_path / "hr", protocol=p)[0]["psnr"][0] for p in (PAPER, FACE)]
        assert found == pytest.approx([psnr(sr, hr).item(), psnr(sr, hr, FACE).item()], abs=1e-4)
        assert found[0] == pytest.approx(scored, abs=1e-4)
        write_image(sr.expand(-1, 3, -1, -1), tmp_path / "sr" / "bridge.png")
