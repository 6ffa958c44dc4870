"""The exercise of lab 05 about opinions: scores from rankings."""

from collections.abc import Sequence
from typing import Any

import torch

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, tensor

Votes = Sequence[Sequence[str]]


def opinion_scores(votes: Votes, methods: Sequence[str]) -> dict[str, float]:
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


_FIVE = ("HR", "ESRGAN", "SRGAN", "SRResNet", "bicubic")
_REVERSED = (
    "Best and worst have changed places: the first of a ranking is the best, and 5 is the best score. A rank that is "
    "counted from 1 is not a score yet."
)
_FENCE = (
    "The first has 5, but the last has more than 1, so the steps are too small. How many steps lie between the first "
    "and the last of n methods?"
)
_FROM_ONE = "Not even the first has 5: its place seems to count as 1 here. How many steps is it away from the best?"


def _scores(answer: Answer, votes: Votes, methods: Sequence[str] = _FIVE, wanted: Sequence[str] = ()) -> Any:
    """The answer's scores of the wanted methods (default: all), in their order, as a tensor."""
    result = filled(answer([list(ranking) for ranking in votes], list(methods)))
    wanted = wanted or methods
    if not isinstance(result, dict):
        raise Wrong(f"The result should be a dict of method -> score, but is a {type(result).__name__}.")
    if missing := [method for method in wanted if method not in result]:
        raise Wrong(f"{missing[0]} was ranked, but has no score.")
    for method in set(result) - set(wanted):
        if method in methods:
            value = float(result[method])
            raise Wrong(
                f"Nobody has voted on {method}, but it has the score {value:g}. No vote is no opinion, and neither a "
                "bad one nor a middling one: leave the method out."
            )
        raise Wrong(f"The result has a score for '{method}', which is none of the methods.")
    return torch.stack([tensor(result[method], ()).double() for method in wanted])


def _opinion_five(answer: Answer) -> None:
    place = torch.arange(5.0)
    base = "The scores run from 4 down to 0, and not from 5 down to 1. Does the first place count as 0 or as 1 here?"
    mistakes = [
        (_REVERSED, 1 + place),
        (base, 4 - place),
        (_FENCE, 5 - 4 * place / 5),
        (_FROM_ONE, 5 - 4 * (place + 1) / 5),
        ("The scores are divided by the number of methods. Over what should the mean run?", (5 - place) / 5),
        ("The scores are places counted from 0, and the best one is the lowest. A score runs from 5 down to 1.", place),
    ]
    compare(_scores(answer, [_FIVE]), 5 - place, mistakes, "One ranking of five methods:", keys=_FIVE)


def _opinion_spacing(answer: Answer) -> None:
    spaced = "A ranking of {} methods also runs from 5 for the best to 1 for the worst. What lies between is even."
    for count in (3, 2):
        methods = _FIVE[:count]
        wanted, place = torch.linspace(5, 1, count), torch.arange(float(count))
        hint = spaced.format(count)
        mistakes = [
            (_REVERSED, wanted.flip(0)),
            (_FROM_ONE, 5 - 4 * (place + 1) / (count - 1)),
            (_FROM_ONE, 5 - 4 * (place + 1) / count),
            (_FENCE, 5 - 4 * place / count),
            (hint, 5 - place),
            (hint, 4 - place),
            (hint, 1 + place),
            (hint, count - place),
            (hint, count - 1 - place),
            (hint, 5 - 5 * place / count),
            (hint, 5 * (count - place) / count),
            (hint, 5 - 5 * place / (count - 1)),
        ]
        compare(_scores(answer, [methods], methods), wanted, mistakes, f"One ranking of {count} methods:", keys=methods)


def _opinion_mean(answer: Answer) -> None:
    methods = ("HR", "SRGAN", "bicubic")
    votes = [methods, ("SRGAN", "HR", "bicubic"), methods, ("HR", "bicubic", "SRGAN")]
    total = torch.tensor([18.0, 12, 6])
    wanted = total / 4
    latest = "Only one of the rankings counts; the others were overwritten or never looked at."
    mistakes = [
        ("That is the sum over the rankings, which grows with every vote. A score is a mean.", total),
        (_REVERSED, 6 - wanted),
        (latest, [5.0, 1.0, 3.0]),
        (latest, [5.0, 3.0, 1.0]),
    ]
    compare(_scores(answer, votes, methods), wanted, mistakes, "Four rankings of three methods:", keys=methods)


def _opinion_missing(answer: Answer) -> None:
    votes = [("HR", "SRGAN", "bicubic"), ("HR", "bicubic"), ("SRGAN", "HR"), ("HR", "SRGAN", "bicubic")]
    wanted = ("HR", "SRGAN", "bicubic")
    everywhere = (
        "SRGAN is missing from one of the four rankings, and that counted against it. Over how many rankings is the "
        "mean of a method?"
    )
    pairs = "A score depends on how many methods its own ranking has, not on how many there are in all."
    mistakes = [
        (everywhere, torch.tensor([16.0, 11, 3]) / 4),
        (pairs, torch.tensor([(5 + 5 + 4 + 5) / 4, (4 + 5 + 4) / 3, (3 + 4 + 3) / 3])),
    ]
    scores = _scores(answer, votes, _FIVE, wanted)
    compare(scores, [4.0, 11 / 3, 1.0], mistakes, "Not all methods in each ranking:", keys=wanted)


def _opinion_none(answer: Answer) -> None:
    try:
        result = filled(answer([], list(_FIVE)))
    except ZeroDivisionError as error:
        raise Wrong("Without any vote your code divides by zero. It should give an empty dict.") from error
    if result != {}:
        raise Wrong(f"Without any vote there is no score, but the result is {result}. It should be an empty dict.")


EXERCISES = {
    "evaluation.opinion_scores": Exercise(
        opinion_scores,
        (
            ("a ranking of five: 5, 4, 3, 2, 1", _opinion_five),
            ("from 5 to 1 with fewer methods as well", _opinion_spacing),
            ("the mean over the rankings", _opinion_mean),
            ("methods that are missing from some rankings, or from all", _opinion_missing),
            ("no votes yet", _opinion_none),
        ),
        "medium",
        (
            "Turn each ranking into scores first, and collect for each method the scores that it was given.",
            "With n methods in a ranking there are n - 1 steps from 5 down to 1. How large is one?",
        ),
    ),
}
