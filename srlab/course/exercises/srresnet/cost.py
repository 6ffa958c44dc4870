"""Lab 01: the expected squared error of one answer, where many ground truths are possible."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, sample


def cost(answer: torch.Tensor, pieces: torch.Tensor) -> float:
    """Return the expected MSE of an answer: its mean over all ground truths that are possible.

    Parameters
    ----------
    answer
        The image that is answered, ``(1, H, W)``.
    pieces
        ``(N, 1, H, W)``: N ground truths, each equally likely.

    Returns
    -------
    float
        0 only if all pieces equal the answer.
    """
    return (answer - pieces).square().mean().item()


def _of(measure: Callable[[torch.Tensor], Any]) -> Answer:
    """Return an answer that computes the cost from the differences ``answer - pieces``."""
    return lambda answer, pieces: measure(answer - pieces)


def _by_a_loop(answer: torch.Tensor, pieces: torch.Tensor) -> torch.Tensor:
    return sum(F.mse_loss(answer, piece) for piece in pieces) / len(pieces)


def _by_pixels(answer: torch.Tensor, pieces: torch.Tensor) -> torch.Tensor:
    return ((answer[None] - pieces) ** 2).mean(0).mean()


def _of_the_mean(answer: torch.Tensor, pieces: torch.Tensor) -> torch.Tensor:
    return (answer - pieces.mean(0)).square().mean()


# The differences are far from symmetric, and the two patches have different numbers of pieces and pixels.
EXERCISE = Exercise(
    cost,
    level="easy",
    points=2,
    cases={
        "a patch and nine pieces": (sample(1, 3, 4, low=0.2, high=0.7, seed=1), sample(9, 1, 3, 4, seed=2) ** 2),
        "another size, and five pieces": (sample(1, 6, 5, seed=3), sample(5, 1, 6, 5, low=0.4, seed=4)),
        "a single piece": (sample(1, 3, 4, seed=5), sample(1, 1, 3, 4, seed=6)),
    },
    tolerance=1e-5,
    known_mistakes={
        "You compare the answer with the mean of the pieces. Then the mean itself would be free, although it is wrong "
        "about every piece. Which comes first, the squared error or the mean?": [
            _of_the_mean,
            _of(lambda d: d.mean(0).square().mean()),
        ],
        "You took the mean of the differences before you squared them, so errors of opposite signs cancel. Which comes "
        "first?": _of(lambda d: d.mean().square()),
        "That is L1, the absolute error. How does the MSE treat an error that is twice as large?": _of(
            lambda d: d.abs().mean()
        ),
        "That is the root of the MSE. Leave the root out, so that costs are squared errors, as in E(g).": [
            _of(lambda d: d.square().mean().sqrt()),
            _of(lambda d: d.square().flatten(1).mean(1).sqrt().mean()),
        ],
        "You added up the errors of all pieces. Each piece is equally likely, so how much should it count?": [
            _of(lambda d: d.square().flatten(1).mean(1).sum()),
            lambda answer, pieces: sum(F.mse_loss(answer, piece) for piece in pieces),
        ],
        "You added up the errors of all pixels. MSE is their mean, so that it doesn't depend on the size.": [
            _of(lambda d: d.square().flatten(1).sum(1).mean()),
            _of(lambda d: d.square().sum()),
        ],
        "Your result has one value per pixel. The cost is one number: over what else should you average?": _of(
            lambda d: d.square().mean(0)
        ),
        "Your result has one value per piece. The cost is one number: how do you combine equally likely cases?": [
            _of(lambda d: d.square().flatten(1).mean(1)),
            lambda answer, pieces: [F.mse_loss(answer, piece).item() for piece in pieces],
        ],
        "You count only the piece that is nearest to the answer. But any of them may be the ground truth, with equal "
        "probability. How do you take all of them into account?": _of(lambda d: d.square().flatten(1).mean(1).min()),
        "You count only the piece that is farthest away. How do you take all of them into account?": _of(
            lambda d: d.square().flatten(1).mean(1).max()
        ),
        "You count only one of the pieces. How do you take all of them into account?": [
            _of(lambda d: d[0].square().mean()),
            _of(lambda d: d[-1].square().mean()),
        ],
        "You measured how much the pieces vary among themselves. Where does `answer` come in?": [
            lambda answer, pieces: (pieces - pieces.mean(0)).square().mean(),
            lambda answer, pieces: pieces.var(0).mean(),
        ],
        "That is half of the MSE. Nothing has to be halved here.": _of(lambda d: d.square().mean() / 2),
        "That is the slope, from the exercise before. How large is the error itself?": [
            _of(lambda d: 2 * d.mean()),
            _of(lambda d: 2 * d.mean(0)),
        ],
    },
    also_accepted=[
        _of(lambda d: d.square().mean()),
        _of(lambda d: d.square().flatten(1).mean(1).mean()),
        lambda answer, pieces: F.mse_loss(answer.expand_as(pieces), pieces),
        _by_a_loop,
        _by_pixels,
    ],
    hints=(
        "It is E(g) from the beginning of the section, for an image instead of a pixel. What is the mean taken over?",
        "`answer - pieces` subtracts each piece, because PyTorch repeats the answer N times. Square it.",
        "All pieces have the same number of pixels, so one mean over everything is the mean of their MSEs.",
    ),
)
