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
    """Letter -> method for one image, in random order; hidden from voters."""

    image: str
    methods: dict[str, str]


def blind_trials(methods: Mapping[str, Iterable[str]], seed: int = 0, number: int = 1) -> list[Trial]:
    """Return one round of a blind test: each image once, with its methods hidden behind letters.

    `methods` maps an image to the methods to rank; HR can be one of them. Each round (`number`) has the same images in
    the same order, with the letters reshuffled.
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

    The best method of a ranking gets 5, the worst 1, and the others are evenly spaced. Scores from ranks show which
    image was preferred, not whether it was good.

    Parameters
    ----------
    votes
        Rankings, each from best to worst. A method may be missing from some.

    Returns
    -------
    pandas.DataFrame
        One row per method, best first: ``method``, ``mos`` from 1 to 5, ``half_width`` of the 95 % confidence interval,
        and ``votes``, the number of rankings that include the method. The interval is Student's t for independent
        votes, NaN for one vote, and may extend beyond 1 or 5. Votes of one person are not independent, so for other
        people it is too narrow.
    """
    rows = []
    for ranking in votes:
        if len(ranking) < 2 or len(set(ranking)) < len(ranking):
            raise SrlabError(f"{list(ranking)} is not a valid ranking. Use at least two methods, each of them once.")
        rows += [(method, 5 - 4 * place / (len(ranking) - 1)) for place, method in enumerate(ranking)]
    given = pd.DataFrame(rows, columns=["method", "score"]).groupby("method", sort=False)["score"]
    table = given.agg(mos="mean", half_width="sem", votes="count").reset_index()
    table["half_width"] *= stdtrit(table["votes"] - 1, 0.975)
    return table.sort_values("mos", ascending=False, kind="stable", ignore_index=True)
