"""Blind trials, and mean opinion scores from rankings."""

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from scipy.special import stdtrit

from srlab.errors import SrlabError


@dataclass(frozen=True)
class Trial:
    """The methods of one image under letters, in random order.

    Attributes
    ----------
    image
        Name of the image.
    methods
        Letter -> method that made the picture; not for those who vote.
    """

    image: str
    methods: dict[str, str]


def blind_trials(methods: Mapping[str, Iterable[str]], seed: int = 0, number: int = 1) -> list[Trial]:
    """Return one round of a blind test: each image once, its methods hidden behind letters.

    Parameters
    ----------
    methods
        Name of the image -> methods whose pictures of it are ranked. HR can be one of them.
    seed
        Of the random order.
    number
        Of the round: the same images in the same order, under other letters in each.

    Returns
    -------
    list of Trial
        The same for the same names, seed and number.
    """
    images = _shuffled(methods, torch.Generator().manual_seed(seed))
    random = torch.Generator().manual_seed(seed + number)
    return [
        Trial(image, dict(zip(string.ascii_uppercase, _shuffled(methods[image], random), strict=False)))
        for image in images
    ]


def _shuffled(names: Iterable[str], random: torch.Generator) -> list[str]:
    names = list(names)
    return [names[i] for i in torch.randperm(len(names), generator=random)]


def mean_opinion_scores(votes: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return the mean opinion score of each method, with a confidence interval.

    A ranking gives 5 to its best and 1 to its worst, evenly spaced between. These are scores from ranks: they say
    which picture was preferred, not whether it was good.

    Parameters
    ----------
    votes
        Rankings, each from best to worst. A method need not be in all of them.

    Returns
    -------
    pandas.DataFrame
        One row per method that was voted on, the best first: ``method``, ``mos`` from 1 to 5, ``half_width`` of the
        95 % confidence interval, ``votes`` (rankings that it is in). The interval is Student's t for independent
        votes, and NaN with one vote; votes of one person are not independent, so it is too narrow for what other
        people would say. It may reach beyond 1 or 5.

    Raises
    ------
    SrlabError
        A ranking has fewer than two methods, or one of them twice.
    """
    rows = []
    for ranking in votes:
        if len(ranking) < 2 or len(set(ranking)) < len(ranking):
            raise SrlabError(f"A ranking has two methods or more, and each of them once, but one is {list(ranking)}.")
        rows += [(method, 5 - 4 * place / (len(ranking) - 1)) for place, method in enumerate(ranking)]
    given = pd.DataFrame(rows, columns=["method", "score"]).groupby("method", sort=False)["score"]
    table = given.agg(mos="mean", half_width="sem", votes="count").reset_index()
    table["half_width"] *= stdtrit(table["votes"] - 1, 0.975)
    return table.sort_values("mos", ascending=False, kind="stable", ignore_index=True)
