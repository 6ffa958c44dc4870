"""Blind trials, and mean opinion scores from rankings."""

import string
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import torch
from scipy.special import stdtrit


def blind_trials(methods: Mapping[str, Iterable[str]], seed: int = 0) -> dict[str, dict[str, str]]:
    """Return image -> letter -> method, with the images and the methods of each image in random order.

    `methods` maps an image to the methods to rank; HR can be one of them.
    """
    images = _shuffled(methods, torch.Generator().manual_seed(seed))
    random = torch.Generator().manual_seed(seed + 1)
    letters = string.ascii_uppercase
    return {image: dict(zip(letters, _shuffled(methods[image], random), strict=False)) for image in images}


def _shuffled(names: Iterable[str], random: torch.Generator) -> list[str]:
    names = list(names)
    return [names[i] for i in torch.randperm(len(names), generator=random)]


def mean_opinion_scores(votes: Iterable[Sequence[str]]) -> pd.DataFrame:
    """Return the mean opinion score of each method, with a confidence interval.

    The best method of a ranking gets 5, the worst 1, and the others are evenly spaced. Scores from ranks show which
    image was preferred, not whether it was good.

    Parameters
    ----------
    votes
        Rankings, each of at least two methods from best to worst. A method may be missing from some.

    Returns
    -------
    pandas.DataFrame
        One row per method, best first: ``method``, ``mos`` from 1 to 5, ``half_width`` of the 95 % confidence interval,
        and ``votes``, the number of rankings that include the method. The interval is Student's t for independent
        votes, NaN for one vote, and may extend beyond 1 or 5. Votes of one person are not independent, so for other
        people it is too narrow.
    """
    rows = [(method, 5 - 4 * place / (len(ranking) - 1)) for ranking in votes for place, method in enumerate(ranking)]
    given = pd.DataFrame(rows, columns=["method", "score"]).groupby("method", sort=False)["score"]
    table = given.agg(mos="mean", half_width="sem", votes="count").reset_index()
    table["half_width"] *= stdtrit(table["votes"] - 1, 0.975)
    return table.sort_values("mos", ascending=False, kind="stable", ignore_index=True)
