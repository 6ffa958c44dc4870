"""The exercises of lab 05 about opinions and about mixing two networks."""

from collections.abc import Sequence
from typing import Any

import torch

from srlab.exercises import Answer, Exercise, Wrong, compare, filled, near, tensor

Weights = dict[str, torch.Tensor]
Votes = Sequence[Sequence[str]]

# --- Mixing two networks --------------------------------------------------------------------------------------


def interpolate(a: Weights, b: Weights, alpha: float) -> Weights:
    """Mix the weights of two networks, ``(1 - alpha) * a + alpha * b`` (ESRGAN paper, equation 11).

    Parameters
    ----------
    a, b
        State dicts of one architecture. Integer entries, such as the counter of a batch norm, cannot be mixed and
        are taken over from `a`.
    alpha
        0 gives `a`, 1 gives `b`.

    Returns
    -------
    dict of str to torch.Tensor
        A new state dict; `a` and `b` stay as they are.
    """
    return {
        key: (1 - alpha) * weight + alpha * b[key] if weight.is_floating_point() else weight.clone()
        for key, weight in a.items()
    }


_COUNTER = "norm.num_batches_tracked"


def _weights() -> tuple[Weights, Weights]:
    a = {"conv.weight": torch.tensor([[1.0, -2.0], [0.5, 3.0]]), "conv.bias": torch.tensor([0.25, -1.0])}
    b = {"conv.weight": torch.tensor([[-1.0, 2.0], [4.0, 1.0]]), "conv.bias": torch.tensor([2.0, 0.5])}
    return a, b


def _mixed(answer: Answer, a: Weights, b: Weights, alpha: float) -> Weights:
    """The answer's state dict, with all keys and shapes, and the two that came in unchanged."""
    given_a, given_b = ({key: value.clone() for key, value in weights.items()} for weights in (a, b))
    integers = "The counter of a batch norm is an integer, and does not mix with a fraction. Which entries are weights?"
    try:
        result = filled(answer(given_a, given_b, alpha))
    except RuntimeError as error:
        if any(word in str(error) for word in ("Long", "dtype", "result type")):
            raise Wrong(f"{integers} (torch says: {str(error).splitlines()[0]})") from error
        raise
    if callable(result) or isinstance(result, torch.Tensor):
        raise Wrong(
            "The result should be a state dict. It is the weights that are mixed here, once, and not the images that "
            "the two networks make: the mixed network runs once, and its picture is another one."
        )
    if not isinstance(result, dict):
        raise Wrong(f"The result should be a dict of tensors, but is a {type(result).__name__}.")
    if missing := [key for key in a if key not in result]:
        raise Wrong(f"The entry {missing[0]} is missing, and load_state_dict would refuse the rest.")
    for key, value in a.items():
        tensor(result[key], tuple(value.shape), f"That is the entry {key}.")
    for name, weights, given in (("a", a, given_a), ("b", b, given_b)):
        if any(key not in given or not torch.equal(value, given[key]) for key, value in weights.items()):
            raise Wrong(
                f"The weights in {name} were changed in place, so the network that they came from is another one now. "
                "Fill a new dict with new tensors."
            )
    return result


def _flat(weights: Weights) -> torch.Tensor:
    return torch.cat([weights[key].flatten().double() for key in ("conv.weight", "conv.bias")])


def _mix_ends(answer: Answer) -> None:
    a, b = _weights()
    first, second = (_flat(_mixed(answer, a, b, alpha)) for alpha in (0.0, 1.0))
    if near(first, _flat(b)) and near(second, _flat(a)):
        raise Wrong("The ends have changed places: alpha = 0 should give `a`, and alpha = 1 `b`.")
    if near(first, second):
        raise Wrong("alpha = 0 and alpha = 1 give the same weights. Where does alpha come in?")
    added = "With alpha = 1 the weights are the sum of both. As `b` comes in, what should become of the share of `a`?"
    compare(first, _flat(a), otherwise="alpha = 0 should give the weights of `a`.")
    compare(second, _flat(b), [(added, _flat(a) + _flat(b))], "alpha = 1 should give the weights of `b`.")


def _mix_between(answer: Answer) -> None:
    a, b = _weights()
    x, y, alpha = _flat(a), _flat(b), 0.25
    steps = "Between the ends the result is that of one of them. A mix lies on the straight line between both."
    mistakes = [
        (
            "A quarter of the way from `a` to `b` was asked for, and yours is the other way.",
            alpha * x + (1 - alpha) * y,
        ),
        ("The shares of the two should add up to 1.", (1 - alpha) * x + y),
        ("The shares of the two should add up to 1.", x + alpha * y),
        ("The result is always half and half. Where does alpha come in?", (x + y) / 2),
        (steps, x),
        (steps, y),
    ]
    wanted = (1 - alpha) * x + alpha * y
    compare(_flat(_mixed(answer, a, b, alpha)), wanted, mistakes, "alpha = 0.25 gives other weights.")


def _mix_integers(answer: Answer) -> None:
    a, b = ({**weights, _COUNTER: torch.tensor(count)} for weights, count in zip(_weights(), (100, 301), strict=True))
    counter = _mixed(answer, a, b, 0.25)[_COUNTER]
    if counter.is_floating_point():
        raise Wrong(
            f"The counter {_COUNTER} went in as an integer and came out as {counter.item():g}, a float. It counts "
            "batches and is no weight; hand it on as it is."
        )
    if not 100 <= counter.item() <= 301:
        raise Wrong(f"The counter {_COUNTER} was 100 in `a` and 301 in `b`, but came out as {counter.item()}.")


# --- Opinion scores -------------------------------------------------------------------------------------------


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
_REVERSED = "Best and worst have changed places: the first of a ranking is the best, and 5 is the best score."


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
    base = "The places run from 0 to 4 here, but a score runs from 1 to 5."
    mistakes = [
        (_REVERSED, 1 + place),
        (base, 4 - place),
        ("The scores are divided by the number of methods. Over what should the mean run?", (5 - place) / 5),
        ("The scores are places counted from 0, and the best one is the lowest. A score runs from 5 down to 1.", place),
    ]
    compare(_scores(answer, [_FIVE]), 5 - place, mistakes, "One ranking of five methods:")


def _opinion_spacing(answer: Answer) -> None:
    spaced = "A ranking of {} methods also runs from 5 for the best to 1 for the worst. What lies between is even."
    for count in (3, 2):
        methods = _FIVE[:count]
        wanted, place = torch.linspace(5, 1, count), torch.arange(float(count))
        hint = spaced.format(count)
        mistakes = [
            (_REVERSED, wanted.flip(0)),
            (hint, 5 - place),
            (hint, count - place),
            (hint, count - 1 - place),
            (hint, 5 - 5 * place / count),
            (hint, 5 * (count - place) / count),
            (hint, 5 - 4 * place / count),
            (hint, 5 - 5 * place / (count - 1)),
        ]
        compare(_scores(answer, [methods], methods), wanted, mistakes, f"One ranking of {count} methods:")


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
    compare(_scores(answer, votes, methods), wanted, mistakes, "Four rankings of three methods:")


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
    compare(_scores(answer, votes, _FIVE, wanted), [4.0, 11 / 3, 1.0], mistakes, "Not all methods in each ranking:")


def _opinion_none(answer: Answer) -> None:
    try:
        result = filled(answer([], list(_FIVE)))
    except ZeroDivisionError as error:
        raise Wrong("Without any vote your code divides by zero. It should give an empty dict.") from error
    if result != {}:
        raise Wrong(f"Without any vote there is no score, but the result is {result}. It should be an empty dict.")


EXERCISES = {
    "evaluation.interpolate": Exercise(
        interpolate,
        (
            ("alpha = 0 gives a, alpha = 1 gives b", _mix_ends),
            ("a quarter of the way", _mix_between),
            ("integers stay integers", _mix_integers),
        ),
        "easy",
        (
            "A state dict maps names to tensors, and two networks of one architecture have the same names.",
            "Go through the names and mix tensor by tensor; is_floating_point tells weights from counters.",
        ),
    ),
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
