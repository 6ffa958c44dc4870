"""Test srlab.evaluation.folders: pairs of files by name, sizes, gray; tests/cli/test_evaluate_command.py has more."""

import re
import unicodedata

import pytest
import torch
from PIL import Image

from srlab.data.images import quantize, to_uint8, write_image
from srlab.data.resampling import upsample
from srlab.evaluation.folders import evaluate_folders, pair_names
from srlab.evaluation.metrics import PAPER, WHOLE_RGB, psnr


def picture(height=52, width=63, seed=0):
    coarse = torch.rand(1, 3, -(-height // 2), -(-width // 2), generator=torch.Generator().manual_seed(seed))
    return quantize(upsample(coarse, 2)[..., :height, :width])


@pytest.fixture
def folders(tmp_path):
    """Create a folder with hr/ and sr/ with two images each."""
    for seed, name in enumerate(("baby", "bird")):
        hr = picture(seed=seed)
        write_image(hr, tmp_path / "hr" / f"{name}.png")
        write_image((hr + 0.1).clamp(0, 1), tmp_path / "sr" / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("sr", "hr", "suffix", "pairs", "alone"),
    [
        ("bird baby", "baby bird", "", {"baby": "baby", "bird": "bird"}, ""),
        ("baby_x4 bird_x4", "baby bird", "_x4", {"baby": "baby_x4", "bird": "bird_x4"}, ""),
        ("baby_x4 bird", "baby bird", "_x4", {"baby": "baby_x4"}, "bird bird"),
        ("baby_x4 baby2 bird", "baby bird", "", {"bird": "bird"}, "baby_x4 baby2 baby"),
        ("baby_x4 baby", "baby", "_x4", {"baby": "baby_x4"}, "baby"),
    ],
)
def test_equal_names_and_one_suffix_are_pairs(sr, hr, suffix, pairs, alone):
    found, notes = pair_names(sr.split(), hr.split(), suffix)
    assert (found, list(found)) == (pairs, list(pairs))
    assert " ".join(note.split(" (")[0] for note in notes) == alone


def test_accents_in_two_forms_are_one_name(tmp_path):
    hr, sr = (unicodedata.normalize(form, "bébé") for form in ("NFC", "NFD"))  # macOS decomposes accents
    for name in (f"hr/{hr}.png", f"sr/{sr}_x4.png"):
        write_image(picture(), tmp_path / name)
    table, notes = evaluate_folders(tmp_path / "sr", tmp_path / "hr", suffix="_x4")
    assert (len(table), table["image"][0], notes) == (1, hr, [])


def test_full_size_sr_is_not_cropped_and_other_sizes_are_rejected(folders):
    table, _ = evaluate_folders(folders / "sr", folders / "hr", protocol=WHOLE_RGB)
    hr = picture()  # 63x52: the width is not a multiple of 4
    assert table["psnr"][0] == pytest.approx(float(psnr(quantize((hr + 0.1).clamp(0, 1)), hr, WHOLE_RGB)), abs=1e-4)
    write_image(picture(48, 60), folders / "sr" / "baby.png")
    table, notes = evaluate_folders(folders / "sr", folders / "hr", 3)
    assert len(table) == 1
    assert re.search(r"not scored: baby\.png: .*60x48 .* 63x51", notes[-1])


def test_gray_hr_is_scored_on_gray_values_of_color_sr(tmp_path):
    hr = picture(48, 64)[:, :1]
    sr = quantize((hr + 0.1).clamp(0, 1))
    for name, image in (("hr", hr), ("sr", sr)):
        (tmp_path / name).mkdir()
        Image.fromarray(to_uint8(image)[0, 0].numpy()).save(tmp_path / name / "bridge.png")
    for _ in range(2):
        found = [
            evaluate_folders(tmp_path / "sr", tmp_path / "hr", protocol=p)[0]["psnr"][0] for p in (PAPER, WHOLE_RGB)
        ]
        assert found == pytest.approx([psnr(sr, hr).item(), psnr(sr, hr, WHOLE_RGB).item()], abs=1e-4)
        write_image(sr.expand(-1, 3, -1, -1), tmp_path / "sr" / "bridge.png")
