"""benchmarks.votes: who stands on which side, and a page that says what was voted."""

import pandas as pd
import pytest
import torch
from PIL import Image

from benchmarks.votes import vote

pytestmark = pytest.mark.nightly

BRIGHTNESS = {"start": 0.2, "noise": 0.4, "SRGAN": 0.6, "HR": 0.0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where nobody has voted yet, and pictures that tell by their brightness who made them."""
    monkeypatch.setattr(vote, "HERE", tmp_path)
    made = {gan: {name: torch.full((1, 3, 512, 256), level) for name, level in BRIGHTNESS.items()} for gan in vote.GANS}
    made["SRGAN"]["SRGAN"], made["ESRGAN"]["ESRGAN"] = torch.full((2, 1, 3, 512, 256), 0.8)
    made["ESRGAN"]["SRGAN"] = torch.full((1, 3, 512, 256), BRIGHTNESS["SRGAN"])
    monkeypatch.setattr(vote, "pictures", lambda seed: made)
    return tmp_path


def test_each_pair_shows_the_gan_on_the_side_that_is_written_down(folder):
    vote.write_pairs(folder / "shown", 0)
    vote.write_pairs(folder / "shown again", 1)
    pairs = pd.read_csv(folder / "pairs.csv")
    assert len(pairs) == 2 * (2 + 3) * len(vote.CROPS)
    assert pairs.pair.is_unique
    for where, seed in (("shown", 0), ("shown again", 1)):
        for row in pairs[pairs.seed == seed].itertuples():
            sheet = Image.open(folder / where / f"pair_{row.pair:02d}.png")
            level = {side: sheet.getpixel((x, 200))[0] / 255 for side, x in (("A", 100), ("B", 600))}
            assert level.pop(row.gan_is) == pytest.approx(0.8, abs=0.01)
            assert [*level.values()] == pytest.approx([BRIGHTNESS[row.rival]], abs=0.01)


def test_the_page_says_what_was_voted():
    assert (vote.HERE / "README.md").read_text(encoding="utf-8") == vote.page()
    votes = pd.read_csv(vote.HERE / "votes.csv")
    assert (votes.groupby("pair").viewer.nunique() == 5).all()
    assert not votes.duplicated(["viewer", "pair"]).any()
