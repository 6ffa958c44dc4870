"""Lab 01: what a loss asks for where the true pixel is uncertain."""

import torch

from srlab.base.errors import SrlabError
from srlab.exercises import Answer, Exercise


def best_guess(candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the one value with the smallest expected loss.

    Parameters
    ----------
    candidates
        ``(K,)``, values that the true pixel may have.
    probabilities
        ``(K,)``, how likely each is; they add up to 1.
    loss
        ``"mse"`` (answered by the mean) or ``"l1"`` (answered by the median).

    Returns
    -------
    torch.Tensor
        ``()``.
    """
    if loss == "mse":
        return (candidates * probabilities).sum()
    if loss != "l1":
        raise SrlabError(f"Unknown loss '{loss}'; choose mse or l1.")
    order = candidates.argsort()
    reached = probabilities[order].cumsum(0) >= 0.5
    return candidates[order][reached.long().argmax()]


def _of_a_grid(candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
    guesses = torch.linspace(0, 1, 101)
    away = candidates - guesses[:, None]
    expected = (probabilities * (away.square() if loss == "mse" else away.abs())).sum(1)
    return guesses[expected.argmin()]


def _median(sort_values: bool, sort_chances: bool) -> Answer:
    """The mean for mse, as it should be; for l1 where half of the probability is reached, in some order."""

    def guess(candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
        order = candidates.argsort()
        values = candidates[order] if sort_values else candidates
        chances = probabilities[order] if sort_chances else probabilities
        return best_guess(candidates, probabilities, loss) if loss == "mse" else values[(chances.cumsum(0) < 0.5).sum()]

    return guess


# Sorted: 0.1 (0.33), 0.2 (0.22), 0.5 (0.10), 0.6 (0.15), 0.9 (0.20). Each way to go wrong gives another value.
_PIXEL = torch.tensor([0.2, 0.5, 0.6, 0.9, 0.1]), torch.tensor([0.22, 0.10, 0.15, 0.20, 0.33])
_EDGE = torch.tensor([1.0, 0.0]), torch.tensor([0.4, 0.6])

EXERCISE = Exercise(
    best_guess,
    level="medium",
    cases={
        "mse": (*_PIXEL, "mse"),
        "l1": (*_PIXEL, "l1"),
        "mse at an edge that is bright with probability 0.4 and dark with 0.6": (*_EDGE, "mse"),
        "l1 at that edge": (*_EDGE, "l1"),
    },
    mistakes={
        "All candidates count the same here. Some are more probable than others; where do the probabilities come in?": [
            lambda candidates, probabilities, loss: candidates.mean(),
            lambda candidates, probabilities, loss: candidates.median(),
            lambda candidates, probabilities, loss: candidates.mean() if loss == "mse" else candidates.median(),
        ],
        "That is the most probable value. It is often right, but when it is wrong it may be wrong by much.": (
            lambda candidates, probabilities, loss: candidates[probabilities.argmax()]
        ),
        "That is the median, which belongs to the other loss. What does the squared loss do to a far miss?": (
            lambda candidates, probabilities, loss: best_guess(candidates, probabilities, "l1")
        ),
        "That is the mean, as for the squared loss. With the absolute error a far miss counts only in proportion; "
        "which value has half of the probability on either side?": (
            lambda candidates, probabilities, loss: best_guess(candidates, probabilities, "mse")
        ),
        "The weighted values were averaged again. The probabilities already add up to 1.": (
            lambda candidates, probabilities, loss: (candidates * probabilities).mean()
        ),
        "Close, but a list of guesses meets the best one only by luck. Which formula gives it directly?": _of_a_grid,
        "Half of the probability was counted off in the order of the list. In which order should the values be?": (
            _median(sort_values=False, sort_chances=False)
        ),
        "The values are in order, but each probability should move along with its value.": (
            _median(sort_values=True, sort_chances=False)
        ),
    },
    also_right=[_median(sort_values=True, sort_chances=True)],
    tolerance=2e-3,
    hints=(
        "Try a few guesses by hand and work out the expected loss of each. What moves the best guess more: one far "
        "candidate, or many near ones?",
        "The squared error is smallest at the mean, the absolute error at the median, both weighted.",
    ),
)
