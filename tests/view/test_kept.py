"""Pictures that come with srlab: the whole right half of the gravel, as labs 03 and 04 cut it."""

import csv
import json
from collections import Counter

import pytest

import srlab
from srlab.base.errors import SrlabError
from srlab.evaluation import perception
from srlab.view import kept
from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["srgan_800", "average_800", "srgan_12000", "esrgan_12000"])
def test_a_kept_picture_is_of_the_right_half_and_as_sharp_as_the_page_says(name):
    hr = srlab.mod_crop(srlab.halves("gravel")[1]["gravel"], 4)
    sr = kept.picture(name)
    assert sr.shape == hr.shape
    assert srlab.psnr(sr, hr).item() > 20
    assert 0.8 < perception.gradient_ratio(sr, hr).item() < 1.1


def test_an_unknown_picture_lists_the_known_ones():
    with pytest.raises(SrlabError, match="no picture 'srgan'; choose one of average_800, esrgan_12000, "):
        kept.picture("srgan")


def test_a_row_comes_apart_into_its_pictures_with_the_photo_last():
    known = json.loads(kept.ROWS.joinpath("scores.json").read_text(encoding="utf-8"))
    for name in known:
        pictures, notes = kept.row(name)
        assert {tuple(picture.shape) for picture in pictures.values()} == {(1, 3, 144, 176)}
        assert [*pictures] == [*known[name], "HR"]
        assert notes.keys() == pictures.keys() - {"HR"}
        assert "RealESRGAN" in pictures


def test_the_kept_duels_have_the_votes_that_were_cast_and_the_decibels_of_the_page():
    folder, votes = ROOT / "benchmarks" / "subjects", Counter()
    with (folder / "pairs.csv").open() as pairs, (folder / "votes.csv").open() as cast:
        pair_of = {row["pair"]: row for row in csv.DictReader(pairs)}
        for row in csv.DictReader(cast):
            pair = pair_of[row["pair"]]
            votes[pair["subject"], row["question"]] += row["vote"] == pair["two_minutes_is"]
    lines = [line.replace("*", "").split("|")[1:5] for line in (folder / "README.md").read_text().splitlines()]
    page = {line[0].strip(): line for line in lines if len(line) == 4 and " to " in line[3]}
    for name, duel in kept.duels().items():
        assert (duel["looks"], duel["nearness"]) == (votes[name, "looks"], votes[name, "truth"])
        theirs, ours = float(page[name][2]), [float(end) for end in page[name][3].split(" to ")]
        assert duel["psnr"] == pytest.approx([end - theirs for end in ours]), name
