"""Mean opinion scores from rankings."""

from collections.abc import Iterable, Sequence

import pandas as pd
from scipy.special import stdtrit


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
