"""Lab 01: whether the gradients of several batches point the same way."""

from itertools import combinations, pairwise

import torch
import torch.nn.functional as F

from srlab.exercises import Exercise, sample


def agreement(gradients: torch.Tensor) -> torch.Tensor:
    """Mean cosine between the gradients of different batches.

    Parameters
    ----------
    gradients
        ``(N, D)``, one gradient a row, N at least 2.

    Returns
    -------
    torch.Tensor
        ``()``, in [-1, 1], over all pairs of different rows.
    """
    directions = F.normalize(gradients, dim=1)
    cosines = directions @ directions.T
    count = len(gradients)
    return (cosines.sum() - cosines.trace()) / (count * (count - 1))


def _cosines(gradients: torch.Tensor) -> torch.Tensor:
    return F.cosine_similarity(gradients[:, None], gradients, dim=2)


def _pairs(gradients: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.cosine_similarity(a, b, dim=0) for a, b in combinations(gradients, 2)]).mean()


def _dots(gradients: torch.Tensor) -> torch.Tensor:
    count = len(gradients)
    dots = gradients @ gradients.T
    return (dots.sum() - dots.trace()) / (count * (count - 1))


# Some agree, some are opposite, and one is a hundred times as long as the others.
_MIXED = sample(6, 40, low=-1) + sample(1, 40, low=-1, seed=1)
_MIXED[4] *= -1
_LONG = _MIXED * torch.tensor([1.0, 100.0, 1.0, 0.5, 1.0, 2.0])[:, None]

EXERCISE = Exercise(
    agreement,
    level="medium",
    cases={
        "six gradients": (_MIXED,),
        "the same directions, of other lengths": (_LONG,),
        "two at a right angle": (torch.tensor([[3.0, 0.0], [0.0, 0.2]]),),
        "two opposite ones": (torch.tensor([[1.0, 2.0], [-2.0, -4.0]]),),
    },
    mistakes={
        "Each gradient was compared with itself as well, and that cosine is always 1.": [
            lambda gradients: _cosines(gradients).mean(),
        ],
        "A long gradient counts for more than a short one here. A cosine knows directions only; what has to be divided "
        "by what?": [_dots, lambda gradients: (gradients @ gradients.T).mean()],
        "Opposite gradients count as agreement here. Leave the sign.": [
            lambda gradients: (
                (_cosines(gradients).abs().sum() - len(gradients)) / (len(gradients) * (len(gradients) - 1))
            ),
        ],
        "The sum is right, but how many pairs of *different* gradients does it have?": [
            lambda gradients: (_cosines(gradients).sum() - len(gradients)) / len(gradients) ** 2,
            lambda gradients: _cosines(gradients).triu(1).sum() / (len(gradients) * (len(gradients) - 1)),
            lambda gradients: _cosines(gradients).triu(1).mean(),
        ],
        "Only neighbours were compared. Take all pairs.": [
            lambda gradients: torch.stack(
                [torch.cosine_similarity(a, b, dim=0) for a, b in pairwise(gradients)]
            ).mean(),
        ],
        "Each column was brought to length 1. Which dimension holds one gradient?": [
            lambda gradients: _dots(F.normalize(gradients, dim=0)),
            lambda gradients: agreement(gradients.T),
        ],
        "That is the cosine with the mean of all gradients, in which each of them is contained.": [
            lambda gradients: torch.cosine_similarity(gradients, gradients.mean(0, keepdim=True), dim=1).mean(),
        ],
    },
    also_right=[_pairs],
    hints=(
        "Divide each gradient by its length. What is the product of two such vectors?",
        "directions @ directions.T has the cosines of all pairs at once. Which of them are to be left out?",
    ),
)
