"""Test blind trials and mean opinion scores: hidden names, and scores of rankings."""

import math
from itertools import chain

import pytest
import torch

from srlab.errors import SrlabError
from srlab_course.figures.mos import blind_trials, mean_opinion_scores

METHODS = ("HR", "ESRGAN", "bicubic")
IMAGES = dict.fromkeys(("cat", "cup", "sky"), METHODS)


def test_round_shows_each_image_once_with_all_methods():
    rounds = [blind_trials(IMAGES, seed=1, number=number) for number in (1, 2, 3)]
    (order,) = {tuple(trial.image for trial in trials) for trials in rounds}
    assert sorted(order) == ["cat", "cup", "sky"]
    for trial in chain(*rounds):
        assert list(trial.methods) == ["A", "B", "C"]
        assert sorted(trial.methods.values()) == sorted(METHODS)


def test_letters_depend_on_seed_and_round():
    def letters(seed, number):
        return [(trial.image, *trial.methods.values()) for trial in blind_trials(IMAGES, seed, number)]

    before = torch.get_rng_state()
    assert letters(1, 2) == letters(1, 2)
    assert len({tuple(letters(seed, number)) for seed in (1, 2) for number in (1, 2, 3)}) == 6
    first = [blind_trials(IMAGES, seed)[0].methods["A"] for seed in range(300)]
    assert all(70 < first.count(method) < 130 for method in METHODS), "letters must not identify a method"
    assert torch.equal(torch.get_rng_state(), before)


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


@pytest.mark.parametrize("ranking", [["a"], ["a", "b", "a"]])
def test_incomplete_ranking_is_rejected(ranking):
    with pytest.raises(SrlabError, match="each of them once"):
        mean_opinion_scores([["a", "b"], ranking])
