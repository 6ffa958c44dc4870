"""Blind trials and mean opinion scores: what is hidden, and what rankings are worth."""

import math
from itertools import chain

import pytest
import torch

from srlab.course.mos import blind_trials, mean_opinion_scores
from srlab.errors import SrlabError

METHODS = ("HR", "ESRGAN", "bicubic")
IMAGES = dict.fromkeys(("cat", "cup", "sky"), METHODS)


def test_each_image_comes_once_in_a_round_with_all_its_methods_and_in_the_same_order_in_the_next():
    rounds = [blind_trials(IMAGES, seed=1, number=number) for number in (1, 2, 3)]
    orders = [[trial.image for trial in trials] for trials in rounds]
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == ["cat", "cup", "sky"]
    for trial in chain(*rounds):
        assert list(trial.methods) == ["A", "B", "C"]
        assert sorted(trial.methods.values()) == sorted(METHODS)


def test_the_letters_come_from_the_seed_and_the_round_and_not_from_the_random_numbers_of_the_lab():
    def letters(seed, number):
        return [(trial.image, *trial.methods.values()) for trial in blind_trials(IMAGES, seed, number)]

    before = torch.get_rng_state()
    assert letters(1, 2) == letters(1, 2)
    assert len({tuple(letters(seed, number)) for seed in (1, 2) for number in (1, 2, 3)}) == 6
    first = [blind_trials(IMAGES, seed)[0].methods["A"] for seed in range(300)]
    assert all(70 < first.count(method) < 130 for method in METHODS), "no letter belongs to a method"
    assert torch.equal(torch.get_rng_state(), before)


def test_scores_run_from_5_to_1_in_every_ranking_and_are_averaged_the_best_first():
    table = mean_opinion_scores([["a", "b", "c"], ["b", "a"], ["a", "b", "c"]])
    scores = table.set_index("method")
    assert scores["mos"].to_dict() == pytest.approx({"a": 11 / 3, "b": 11 / 3, "c": 1.0})
    assert scores["votes"].to_dict() == {"a": 3, "b": 3, "c": 2}
    assert list(mean_opinion_scores([["c", "a", "b"], ["c", "b", "a"], ["c", "a", "b"]])["method"]) == ["c", "a", "b"]


def test_the_interval_is_students_t():
    # Scores 5, 5, 3, 1 of method a: mean 3.5, standard deviation 1.9149, t(3, 97.5 %) = 3.18245 from the tables.
    votes = [["a", "b", "c"], ["a", "b", "c"], ["b", "a", "c"], ["b", "c", "a"]]
    row = mean_opinion_scores(votes).set_index("method").loc["a"]
    assert row["mos"] == 3.5
    assert row["half_width"] == pytest.approx(3.18245 * 1.914854 / 2, rel=1e-4)
    assert math.isnan(mean_opinion_scores([["a", "b"]])["half_width"][0]), "one vote has no interval"
    assert list(mean_opinion_scores([["a", "b"]] * 2)["half_width"]) == [0, 0]


@pytest.mark.parametrize("ranking", [["a"], ["a", "b", "a"]])
def test_what_is_no_ranking_is_refused(ranking):
    with pytest.raises(SrlabError, match="each of them once"):
        mean_opinion_scores([["a", "b"], ranking])
