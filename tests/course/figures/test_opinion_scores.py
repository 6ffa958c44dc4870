"""Test blind trials and mean opinion scores: hidden names, and scores of rankings."""

import math

import pytest
import torch

from srlab_course.figures.ballot import blind_trials
from srlab_course.figures.opinion_scores import mean_opinion_scores

METHODS = ("HR", "ESRGAN", "bicubic")
IMAGES = dict.fromkeys(("cat", "cup", "sky"), METHODS)


def test_letters_hide_the_methods_and_depend_on_the_seed():
    before = torch.get_rng_state()
    rounds = [blind_trials(IMAGES, seed) for seed in range(300)]
    assert torch.equal(torch.get_rng_state(), before)
    assert rounds[7] == blind_trials(IMAGES, 7)
    for trials in rounds:
        assert sorted(trials) == ["cat", "cup", "sky"]
        assert all(sorted(letters.values()) == sorted(METHODS) for letters in trials.values())
        assert all(list(letters) == ["A", "B", "C"] for letters in trials.values())
    for picked in ([next(iter(trials)) for trials in rounds], [trials["cat"]["A"] for trials in rounds]):
        assert all(70 < picked.count(name) < 130 for name in set(picked)), "letters must not identify a method"
        assert len(set(picked)) == 3


def test_ranking_gives_scores_5_to_1():
    table = mean_opinion_scores([["c", "a", "b"], ["a", "c"], ["c", "a", "b"], ["c", "a", "b"]])
    assert table["method"].tolist() == ["c", "a", "b"]
    assert table["mos"].tolist() == pytest.approx([4.0, 3.5, 1.0])
    assert table["votes"].tolist() == [4, 4, 3]


def test_interval_uses_students_t():
    # Scores 5, 5, 3, 1 of method a: mean 3.5, standard deviation 1.9149, t(3, 97.5 %) = 3.18245 from the tables.
    votes = [["a", "b", "c"], ["a", "b", "c"], ["b", "a", "c"], ["b", "c", "a"]]
    row = mean_opinion_scores(votes).set_index("method").loc["a"]
    assert row["mos"] == 3.5
    assert row["half_width"] == pytest.approx(3.18245 * 1.914854 / 2, rel=1e-4)
    assert math.isnan(mean_opinion_scores([["a", "b"]])["half_width"][0]), "one vote must have no interval"
    assert list(mean_opinion_scores([["a", "b"]] * 2)["half_width"]) == [0, 0]
