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
        write_image((hr + 0.1).clamp(0, 1), tmp_path / "sr" / f"{name}_x4_SRGAN.png")
    return tmp_path


# --- Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "_HR", "-HR", "_gt"])
def test_names_with_and_without_suffix_match(mark):
    for name in ("baby", "baby_x4", "baby-SRGAN", "baby x4", "babyx4_SRGAN", "baby(1)"):
        assert pair_names([name], ["baby" + mark]) == ({"baby" + mark: name}, [])


@pytest.mark.parametrize(
    ("name", "hr"),
    [
        ("baby2", "baby"),
        ("babyx", "baby"),
        ("my_baby", "baby"),
        ("bab", "baby"),
        ("C_x4", "CHR"),
        ("img_10_x4", "img_1_HR"),
    ],
)
def test_unmatched_names_are_both_reported(name, hr):
    pairs, alone = pair_names([name], [hr])
    assert pairs == {}
    assert [line.split(" (")[0] for line in alone] == [name, hr]


def test_longest_prefix_wins_and_ambiguity_is_reported():
    found, wanted = ["img_1_2_x4", "img_1_sr", "img_10", "img_x4"], ["img", "img_1_HR", "img_1_2_HR", "img_10"]
    assert pair_names(found, wanted) == (dict(zip(wanted, (found[i] for i in (3, 1, 0, 2)), strict=True)), [])
    assert pair_names(["a_x", "a_y", "b"], ["a", "b"]) == ({"b": "b"}, ["a_x, a_y (more than one for a)"])


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_unicode_normalization_forms_match(forms):
    hr, sr = (unicodedata.normalize(form, "bébé") for form in forms)
    assert pair_names([f"{sr}_x4"], [hr]) == ({hr: f"{sr}_x4"}, [])


# --- Scores; `srlab evaluate` has more in tests/cli/test_evaluate_command.py -------------------------------------


def test_unpaired_file_is_reported_and_rest_scored(folders):
    (folders / "sr" / "bird_x4_SRGAN.png").rename(folders / "sr" / "other.png")
    table, notes = evaluate_folders(folders / "sr", folders / "hr")
    assert table["image"].tolist() == ["baby"]
    assert [note.split(" (")[0] for note in notes] == ["not paired: other", "not paired: bird"]
    (folders / "sr" / "baby_x4_SRGAN.png").unlink()
    with pytest.raises(SrlabError, match="such as other and baby"):
        evaluate_folders(folders / "sr", folders / "hr")


def test_full_size_sr_is_not_cropped_and_other_sizes_are_rejected(folders):
    table, _ = evaluate_folders(folders / "sr", folders / "hr", protocol=WHOLE_RGB)
    hr = picture()  # 63x52: the width is not a multiple of 4
    assert table["psnr"][0] == pytest.approx(float(psnr(quantize((hr + 0.1).clamp(0, 1)), hr, WHOLE_RGB)), abs=1e-4)
    write_image(picture(48, 60), folders / "sr" / "baby_x4_SRGAN.png")
    table, notes = evaluate_folders(folders / "sr", folders / "hr", 3)
    assert len(table) == 1
    assert re.search(r"not scored: baby_x4_SRGAN\.png: .*60x48 .* 63x51", notes[-1])


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
