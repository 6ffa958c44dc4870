"""Lab 05: scores from rankings."""

import statistics
from collections.abc import Callable, Sequence
from functools import partial

from srlab.exercises import Answer, Exercise


def opinion_scores(votes: Sequence[Sequence[str]], methods: Sequence[str]) -> dict[str, float]:
    """Mean opinion score of each method, from rankings.

    A ranking gives 5 to its best, 1 to its worst, and evenly spaced scores to those between. A method's score is the
    mean over the rankings in which it occurs.

    Parameters
    ----------
    votes
        Rankings, each a list of at least two methods from best to worst. Not every method is in every ranking.
    methods
        All methods.

    Returns
    -------
    dict of str to float
        Method -> score from 1 to 5, without the methods that nobody has voted on.
    """
    scores = {method: [] for method in methods}
    for ranking in votes:
        step = 4 / (len(ranking) - 1)
        for place, method in enumerate(ranking):
            scores[method].append(5 - step * place)
    return {method: sum(given) / len(given) for method, given in scores.items() if given}


_FIVE = ["HR", "ESRGAN", "SRGAN", "SRResNet", "bicubic"]
_THREE = ["HR", "SRGAN", "bicubic"]


def _case(methods: list[str], *votes: list[str]) -> tuple[list[list[str]], list[str]]:
    """Votes and methods, all in lists of their own: what is taken out of one is not missing in another."""
    return [[*vote] for vote in votes], [*methods]


def _scored(score: Callable[[int, int], float]) -> Answer:
    """Another score for a place, counted from 0, in a ranking of so many methods."""

    def scores(votes: list[list[str]], methods: list[str]) -> dict[str, float]:
        given = {m: [score(v.index(m), len(v)) for v in votes if m in v] for m in methods}
        return {method: sum(values) / len(values) for method, values in given.items() if values}

    return scores


def _changed(change: Callable[[dict[str, float], list[list[str]], list[str]], dict[str, float]]) -> Answer:
    """Right scores, and something else done to them."""
    return lambda votes, methods: change(opinion_scores(votes, methods), votes, methods)


def _count(method: str, votes: list[list[str]]) -> int:
    return sum(method in vote for vote in votes)


EXERCISE = Exercise(
    opinion_scores,
    level="medium",
    cases={
        "a ranking of five: 5, 4, 3, 2, 1": _case(_FIVE, _FIVE),
        "from 5 to 1 with three methods as well": _case(_THREE, _THREE),
        "and with two": _case(_FIVE[:2], _FIVE[:2]),
        "four methods, whose scores are no whole numbers": _case(_FIVE[:4], _FIVE[:4]),
        "the mean over the rankings": _case(
            _THREE, ["SRGAN", "HR", "bicubic"], _THREE, _THREE, ["HR", "bicubic", "SRGAN"]
        ),
        "methods that are missing from some rankings, or from all": _case(
            _FIVE, _THREE, ["HR", "bicubic"], ["SRGAN", "HR"], _THREE
        ),
        "no votes yet": _case(_FIVE),
    },
    mistakes={
        "Best and worst have changed places: the first of a ranking is the best, and 5 is the best score. A rank that "
        "is counted from 1 is not a score yet.": [
            _scored(lambda place, count: 1 + place),
            _scored(lambda place, count: 1 + 4 * place / (count - 1)),
        ],
        "The scores run from 4 down to 0, and not from 5 down to 1. Does the first place count as 0 or as 1 here?": [
            _scored(lambda place, count: 4 - place),
            _scored(lambda place, count: count - 1 - place),
        ],
        "The first has 5, but the last has more than 1, so the steps are too small. How many steps lie between the "
        "first and the last of n methods?": (_scored(lambda place, count: 5 - 4 * place / count)),
        "Not even the first has 5: its place seems to count as 1 here. How many steps is it away from the best?": [
            _scored(lambda place, count: 5 - 4 * (place + 1) / count),
            _scored(lambda place, count: 5 - 4 * (place + 1) / (count - 1)),
        ],
        "The scores are divided by the number of methods. Over what should the mean run?": _changed(
            lambda scores, votes, methods: {method: score / len(methods) for method, score in scores.items()}
        ),
        "The scores are places counted from 0, and the best one is the lowest. A score runs from 5 down to 1.": (
            _scored(lambda place, count: place)
        ),
        "A shorter ranking also runs from 5 for the best to 1 for the worst. What lies between is even.": [
            _scored(lambda place, count: 5 - place),
            _scored(lambda place, count: count - place),
            _scored(lambda place, count: 5 * (count - place) / count),
            _scored(lambda place, count: 5 - 5 * place / (count - 1)),
        ],
        "The scores were cut or rounded. With four methods a step is 4/3: does your code divide by //? Where two "
        "methods are close, the digits behind tell them apart, so round only when you print.": [
            _scored(lambda place, count: 5 - 4 * place // (count - 1)),
            _scored(lambda place, count: 5 - 4 // (count - 1) * place),
            *(
                _changed(lambda scores, votes, methods, cut=cut: {method: cut(s) for method, s in scores.items()})
                for cut in (int, round, *(partial(round, ndigits=digits) for digits in (1, 2, 3)))
            ),
        ],
        "That is how often a method came first. A second place should count for more than a last one.": [
            _scored(lambda place, count: float(place == 0)),
            lambda votes, methods: {m: sum(v[0] == m for v in votes) for m in methods if _count(m, votes)},
        ],
        "That is the median over the rankings. A mean opinion score is a mean.": lambda votes, methods: {
            m: statistics.median(5 - 4 * v.index(m) / (len(v) - 1) for v in votes if m in v)
            for m in methods
            if _count(m, votes)
        },
        "That is the sum over the rankings, which grows with every vote. A score is a mean.": _changed(
            lambda scores, votes, methods: {method: s * _count(method, votes) for method, s in scores.items()}
        ),
        "Only one of the rankings counts; the others were overwritten or never looked at.": [
            lambda votes, methods: opinion_scores(votes[-1:], methods),
            lambda votes, methods: opinion_scores(votes[:1], methods),
        ],
        "A method that is missing from a ranking was counted as if it were there. Which rankings are its mean?": [
            _changed(
                lambda scores, votes, methods, score=score: {
                    m: (s * _count(m, votes) + score * (len(votes) - _count(m, votes))) / len(votes)
                    for m, s in scores.items()
                }
            )
            for score in (0, 1, 3)
        ],
        "Your code looks for a method in a ranking that does not have it. Which methods does a ranking name?": [
            lambda votes, methods: {m: sum(vote.index(m) for vote in votes) / len(votes) for m in methods}
        ],
        "A score depends on how many methods its own ranking has, not on how many there are in all.": (
            lambda votes, methods: _scored(lambda place, count: 5 - 4 * place / (len(methods) - 1))(votes, methods)
        ),
        "Nobody has voted on one of the methods, but it has a score. No vote is no opinion, and neither a bad one nor "
        "a middling one: leave the method out.": [
            _changed(lambda scores, votes, methods, none=none: dict.fromkeys(methods, none) | scores)
            for none in (0.0, 1.0, 3.0, float("nan"), None)
        ],
        "`votes` isn't the same afterwards, as after pop, reverse or clear. They are kept, and counted again when more "
        "have come: go through them with for.": [
            lambda votes, methods: opinion_scores([votes.pop() for _ in range(len(votes))], methods),
            lambda votes, methods: opinion_scores([[v.pop(0) for _ in range(len(v))] for v in votes], methods),
        ],
        "Your code divides by zero where there are no votes. Leave out what nobody has voted on.": [
            lambda votes, methods: {m: sum(v.index(m) for v in votes if m in v) / _count(m, votes) for m in methods}
        ],
    },
    also_right=[_scored(lambda place, count: 1 + 4 * (count - 1 - place) / (count - 1))],
    hints=(
        "Turn each ranking into scores first, and collect for each method the scores that it was given.",
        "With n methods in a ranking there are n - 1 steps from 5 down to 1. How large is one?",
    ),
)
