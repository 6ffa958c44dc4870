"""Lab 01: the output that minimizes a loss where the true pixel is uncertain."""

from typing import Any

import torch

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise
from srlab.errors import SrlabError


def best_guess(candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the one value with the smallest expected loss.

    Parameters
    ----------
    candidates
        ``(K,)``, values that the true pixel may have.
    probabilities
        ``(K,)``, probability of each candidate; they add up to 1.
    loss
        ``"mse"`` (minimized by the mean) or ``"l1"`` (minimized by the median).

    Returns
    -------
    torch.Tensor
        ``()``.
    """
    if loss == "mse":
        return (candidates * probabilities).sum()
    if loss != "l1":
        raise SrlabError(f"Unknown loss '{loss}'. Use mse or l1.")
    order = candidates.argsort()
    reached = probabilities[order].cumsum(0) >= 0.5
    return candidates[order][reached.long().argmax()]


def _observe(answer: Answer, candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> dict[str, Any]:
    guess, best = (float(take(f(candidates, probabilities, loss), 0.0)) for f in (answer, best_guess))
    error = abs(guess - best)
    near = "exact" if error < 1e-5 else "close" if error < 0.01 else "far off"  # close: a search among guesses
    return {f"the best guess for {loss}": guess if near == "far off" else best, "how close": near}


def _of(guesses: torch.Tensor, candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the best of some guesses."""
    away = candidates - guesses[:, None]
    expected = (probabilities * (away.square() if loss == "mse" else away.abs())).sum(1)
    return guesses[expected.argmin()]


def _median(sort_values: bool, sort_chances: bool) -> Answer:
    """Return an answer that is right for mse and, for l1, stops at half of the probability in some order."""

    def guess(candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
        order = candidates.argsort()
        values = candidates[order] if sort_values else candidates
        chances = probabilities[order] if sort_chances else probabilities
        return best_guess(candidates, probabilities, loss) if loss == "mse" else values[(chances.cumsum(0) < 0.5).sum()]

    return guess


# Each mistake gives a different value, and no correct value is on a grid.
_PIXEL = (
    torch.tensor([0.8617, 0.2143, 0.4126, 0.5638, 0.7811, 0.3459, 0.9324, 0.1307]),
    torch.tensor([0.06, 0.09, 0.06, 0.04, 0.11, 0.13, 0.22, 0.29]),
)
_EDGE = torch.tensor([1.0, 0.0]), torch.tensor([0.4, 0.6])
_LARGE = torch.tensor([3.0, -1.5, 2.2, 0.5]), torch.tensor([0.35, 0.2, 0.2, 0.25])

EXERCISE = Exercise(
    best_guess,
    level="medium",
    points=5,
    cases={
        "mse": (*_PIXEL, "mse"),
        "l1": (*_PIXEL, "l1"),
        "mse at an edge that is bright with probability 0.4 and dark with 0.6": (*_EDGE, "mse"),
        "l1 at this edge": (*_EDGE, "l1"),
        "mse for arbitrary numbers": (*_LARGE, "mse"),
        "l1 for arbitrary numbers": (*_LARGE, "l1"),
    },
    observe=_observe,
    known_mistakes={
        "You count all candidates equally. Some are more probable than others. Where do the probabilities come in?": [
            lambda candidates, probabilities, loss: candidates.mean(),
            lambda candidates, probabilities, loss: candidates.median(),
            lambda candidates, probabilities, loss: candidates.mean() if loss == "mse" else candidates.median(),
        ],
        "You return the most probable value. It is often right, but when it is wrong, it may be far off.": (
            lambda candidates, probabilities, loss: candidates[probabilities.argmax()]
        ),
        "You return the median, which minimizes the other loss. What does squaring do to a large error?": (
            lambda candidates, probabilities, loss: best_guess(candidates, probabilities, "l1")
        ),
        "You return the mean, which minimizes the MSE. With L1, an error counts only in proportion to its size. Which "
        "value has half of the probability on either side?": (
            lambda candidates, probabilities, loss: best_guess(candidates, probabilities, "mse")
        ),
        "You averaged the weighted values again. The probabilities already add up to 1.": (
            lambda candidates, probabilities, loss: (candidates * probabilities).mean()
        ),
        "Close, but a search among guesses hits the best value only by luck. Which formula gives it directly?": (
            lambda candidates, *others: _of(torch.linspace(0, 1, 101), candidates, *others)
        ),
        "You return the best of the candidates. With the MSE, a value between them may be better than any of them.": (
            lambda candidates, *others: _of(candidates, candidates, *others)
        ),
        "You count off half of the probability in list order. In which order should the values be?": (
            _median(sort_values=False, sort_chances=False)
        ),
        "You sorted the values, but each probability should move along with its value.": (
            _median(sort_values=True, sort_chances=False)
        ),
    },
    also_accepted=[_median(sort_values=True, sort_chances=True)],
    fallback_messages={"how close": "Close, but not exact."},
    tolerance=1e-5,
    hints=(
        "Try a few guesses by hand, and work out the expected loss of each. What moves the best guess more: one far "
        "candidate, or many near ones?",
        "The MSE is smallest at the mean and L1 at the median, both weighted by the probabilities.",
        "For the median, argsort sorts the candidates. Reorder the probabilities in the same way, and cumsum adds them "
        "up.",
    ),
)
