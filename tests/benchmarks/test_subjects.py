"""benchmarks.subjects: drawn subjects, a page that says what was scored and voted, and rows that say who is who."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.subjects import drawn, measure
from srlab.view import kept


@pytest.mark.parametrize("name", drawn.DRAWN)
def test_a_subject_is_drawn_alike_every_time_and_its_halves_are_of_one_kind(name):
    pixels = np.asarray(drawn.draw(name), dtype=float)
    assert pixels.shape == (512, 512, 3)
    assert (pixels == np.asarray(drawn.draw(name))).all()
    left, right = pixels[:, :256], pixels[:, 256:]
    assert np.abs(left.mean((0, 1)) - right.mean((0, 1))).max() < 15
    assert left.std() == pytest.approx(right.std(), rel=0.15)


def test_the_page_is_that_of_the_committed_scores_and_votes():
    scores = pd.read_csv(measure.HERE / "scores.csv")
    assert (scores.groupby("subject").seed.nunique() == len(measure.SEEDS)).all()
    page = (measure.HERE / "README.md").read_text(encoding="utf-8")
    machine = " ".join(page.split()).partition(" minutes on one core of ")[2].partition(". |")[0]
    assert measure.report(machine) == page


def test_each_pair_was_seen_by_five_viewers_for_each_question():
    votes, pairs = (pd.read_csv(measure.HERE / f"{name}.csv") for name in ("votes", "pairs"))
    assert not votes.duplicated(["viewer", "pair"]).any()
    assert set(votes.vote) <= {"A", "B"}
    seen = votes.groupby(["question", "pair"]).viewer.nunique().unstack("pair")
    assert list(seen.index) == [*measure.QUESTIONS]
    assert set(seen.columns) == set(pairs.pair)
    assert (seen == 5).all(axis=None)
    assert set(pairs.subject) == set(pd.read_csv(measure.HERE / "scores.csv").subject)


def test_the_side_of_a_pair_is_the_one_that_is_written_down(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "HERE", tmp_path)
    monkeypatch.setattr(measure.srlab, "load_published", lambda: None)
    monkeypatch.setattr(measure, "pictures", lambda *_: painted())
    measure.write_pairs(tmp_path / "pairs", {"one": "", "two": ""})
    pairs = pd.read_csv(tmp_path / "pairs.csv")
    assert len(pairs) == 10
    assert set(pairs.two_minutes_is) == {"A", "B"}
    for pair in pairs.itertuples():
        for question, right in (("looks", 500), ("truth", 1000)):
            sheet = Image.open(tmp_path / "pairs" / question / f"pair_{pair.pair:02d}.png")
            bright = {"A": sheet.getpixel((100, 200))[0] > 128, "B": sheet.getpixel((right, 200))[0] > 128}
            assert bright[pair.two_minutes_is]
            assert sum(bright.values()) == 1


def painted():
    """Two minutes are white, the published network is black."""
    import torch

    white = torch.ones(1, 3, 200, 200)
    return {"bicubic": white, "RRDB": white, "two minutes": white, "RealESRGAN": 0 * white, "HR": white}


def test_a_row_comes_apart_into_its_pictures_with_the_photo_last():
    known = json.loads(kept.ROWS.joinpath("scores.json").read_text(encoding="utf-8"))
    for name in known:
        pictures, notes = kept.row(name)
        assert {tuple(picture.shape) for picture in pictures.values()} == {(1, 3, 144, 176)}
        assert [*pictures] == [*known[name], "HR"]
        assert notes.keys() == pictures.keys() - {"HR"}
        assert "RealESRGAN" in pictures
