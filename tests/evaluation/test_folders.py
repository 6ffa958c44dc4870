"""Test srlab.evaluation.folders: pairing files by name, and scoring folders of any files."""

import re
import unicodedata

import pytest
import torch
from PIL import Image

from srlab.data.images import quantize, to_uint8, write_image
from srlab.data.resampling import upsample
from srlab.errors import SrlabError
from srlab.evaluation.folders import evaluate_folders, pair_names
from srlab.evaluation.metrics import FACE, PAPER, psnr


def picture(height=52, width=63, seed=0):
    coarse = torch.rand(1, 3, -(-height // 2), -(-width // 2), generator=torch.Generator().manual_seed(seed))
    return quantize(upsample(coarse, 2)[..., :height, :width])


@pytest.fixture
def folders(tmp_path):
    """Create a folder with hr/ and sr/ with two images each."""
    for seed, name in enumerate(("baby", "bird")):
        hr = picture(seed=seed)
        write_image(hr, tmp_path / "hr" / f"{name}.png")
        write_image((hr + 0.1).clamp(0, 1), tmp_path / "sr" / f"{name}_x4.png")
    return tmp_path


# --- Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sr", "hr"),
    [
        ("baby", "baby"),
        ("babyx4", "baby"),
        ("baby_x4", "baby"),
        ("baby", "baby_HR"),
        ("baby_SR_x4", "baby-gt"),
        ("img_001_SRF_4_SR", "img_001_SRF_4_HR"),
        ("img_001", "img_001_SRF_4_HR"),
        (unicodedata.normalize("NFD", "bébé_x4"), unicodedata.normalize("NFC", "bébé")),
        (unicodedata.normalize("NFC", "bébé_x4"), unicodedata.normalize("NFD", "bébé")),
    ],
)
def test_equal_names_match_except_known_ends(sr, hr):
    assert pair_names([sr], [hr]) == ({hr: sr}, [])


@pytest.mark.parametrize(
    ("sr", "hr"), [("baby2", "baby"), ("babyx", "baby"), ("my_baby", "baby"), ("C_x4", "CHR"), ("img_10", "img_1_HR")]
)
def test_unmatched_names_are_both_reported(sr, hr):
    assert pair_names([sr], [hr]) == ({}, [f"SR image {sr}", f"HR image {hr}"])


def test_same_name_wins_and_ambiguity_is_reported():
    assert pair_names(["a", "a_x4"], ["a", "a_x4"]) == ({"a": "a", "a_x4": "a_x4"}, [])
    assert pair_names(["a_x4"], ["a", "a_x4"]) == ({"a_x4": "a_x4"}, ["HR image a"])
    alone = ["SR image a_x2", "SR image a_x4", "HR image a"]
    assert pair_names(["a_x2", "a_x4", "b"], ["a", "b"]) == ({"b": "b"}, alone)


# --- Scores; `srlab evaluate` has more in tests/cli/test_evaluate_command.py -------------------------------------


def test_unpaired_file_is_reported_and_rest_scored(folders):
    (folders / "sr" / "bird_x4.png").rename(folders / "sr" / "other.png")
    table, notes = evaluate_folders(folders / "sr", folders / "hr")
    assert table["image"].tolist() == ["baby"]
    assert notes == ["not paired: SR image other", "not paired: HR image bird"]
    (folders / "sr" / "baby_x4.png").unlink()
    with pytest.raises(SrlabError, match="such as other and baby"):
        evaluate_folders(folders / "sr", folders / "hr")


def test_full_size_sr_is_not_cropped_and_other_sizes_are_rejected(folders):
    table, _ = evaluate_folders(folders / "sr", folders / "hr", protocol=FACE)
    hr = picture()  # 63x52: the width is not a multiple of 4
    assert table["psnr"][0] == pytest.approx(float(psnr(quantize((hr + 0.1).clamp(0, 1)), hr, FACE)), abs=1e-4)
    write_image(picture(48, 60), folders / "sr" / "baby_x4.png")
    table, notes = evaluate_folders(folders / "sr", folders / "hr", 3)
    assert len(table) == 1
    assert re.search(r"not scored: baby_x4\.png: .*60x48 .* 63x51", notes[-1])


def test_gray_hr_is_scored_on_gray_values_of_color_sr(tmp_path):
    hr = picture(48, 64)[:, :1]
    sr = quantize((hr + 0.1).clamp(0, 1))
    for name, image in (("hr", hr), ("sr", sr)):
        (tmp_path / name).mkdir()
        Image.fromarray(to_uint8(image)[0, 0].numpy()).save(tmp_path / name / "bridge.png")
    for _ in range(2):
        found = [evaluate_folders(tmp_path / "sr", tmp_path / "hr", protocol=p)[0]["psnr"][0] for p in (PAPER, FACE)]
        assert found == pytest.approx([psnr(sr, hr).item(), psnr(sr, hr, FACE).item()], abs=1e-4)
        write_image(sr.expand(-1, 3, -1, -1), tmp_path / "sr" / "bridge.png")
