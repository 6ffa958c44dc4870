"""Lab 01: the slope of a loss where the ground truth is uncertain."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, sample
from srlab.errors import SrlabError


def slope(answer: torch.Tensor, pieces: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the slope of each pixel's expected loss, which training reduces step by step.

    Parameters
    ----------
    answer
        Any shape: the values that are answered.
    pieces
        ``(N, ...)``: N ground truths, each equally likely.
    loss
        ``"mse"`` (the slope is 0 at the mean) or ``"l1"`` (at the median).

    Returns
    -------
    torch.Tensor
        Like `answer`: positive where a slightly larger value would cost more.
    """
    away = answer - pieces
    if loss == "mse":
        return 2 * away.mean(0)
    if loss != "l1":
        raise SrlabError(f"'{loss}' is not a loss of this exercise. Use mse or l1.")
    return away.sign().mean(0)


def _of(mse: Callable[..., torch.Tensor], l1: Callable[..., torch.Tensor]) -> Answer:
    """Return an answer that computes the two slopes from the distances ``answer - pieces``."""
    return lambda answer, pieces, loss: (mse if loss == "mse" else l1)(answer - pieces)


def _mse(away: torch.Tensor) -> torch.Tensor:
    return 2 * away.mean(0)


def _l1(away: torch.Tensor) -> torch.Tensor:
    return away.sign().mean(0)


def _by_autograd(answer: torch.Tensor, pieces: torch.Tensor, loss: str, share: str = "mean") -> torch.Tensor:
    """Let torch compute the slope of a loss that is a mean over the pieces, and a sum or a mean over the pixels."""
    with torch.enable_grad():
        moved = answer.clone().requires_grad_()
        error = {"mse": F.mse_loss, "l1": F.l1_loss}[loss](moved.expand_as(pieces), pieces, reduction=share)
        (found,) = torch.autograd.grad(error, moved)
    return found


# Every mistake gives another value: the distances are far from symmetric, and no answer equals a ground truth.
_PIXEL = torch.tensor(0.55), torch.tensor([0.1, 0.12, 0.2, 0.9, 0.97, 0.31, 0.24])
_PATCH = sample(1, 3, 4, low=0.2, high=0.7, seed=1), sample(9, 1, 3, 4, seed=2) ** 2
_SAME = sample(3, 1, 2, 2, seed=3)

EXERCISE = Exercise(
    slope,
    level="medium",
    points=4,
    cases={
        "mse at one pixel": (*_PIXEL, "mse"),
        "l1 at one pixel": (*_PIXEL, "l1"),
        "mse at each pixel of a patch": (*_PATCH, "mse"),
        "l1 at each pixel of a patch": (*_PATCH, "l1"),
        "mse of an answer that is one of the pieces": (_SAME[0], _SAME, "mse"),
        "l1 of an answer that is one of the pieces": (_SAME[0], _SAME, "l1"),
    },
    # Where the answer equals a piece, L1 has a kink, so any slope from -1 to 1 is correct there: only NaN is not.
    observe=lambda answer, values, pieces, loss: {
        f"the slope for {loss}": found
        if (found := answer(values, pieces, loss)) is None or not isinstance(found, torch.Tensor) or loss == "mse"
        else torch.where((values == pieces).any(0) & ~found.isnan(), 0.0, found)
        if found.shape == values.shape
        else found
    },
    known_mistakes={
        "Your slope has the wrong sign. It should be positive where a slightly larger answer would cost more, so where "
        "most pieces are smaller.": [_of(lambda d: -_mse(d), lambda d: -_l1(d)), _of(lambda d: -_mse(d), _l1)],
        "L1's slope has the wrong sign. It should be positive where most pieces are smaller than the answer.": _of(
            _mse, lambda d: -_l1(d)
        ),
        "Your slope for the MSE is half the right one. What is the derivative of a square?": [
            _of(lambda d: d.mean(0), _l1),
            _of(lambda d: d.mean(0), lambda d: d.mean(0)),
        ],
        "That is the loss itself. You need its slope: how fast does the loss change if the answer changes?": [
            _of(lambda d: d.square().mean(0), lambda d: d.abs().mean(0)),
            _of(_mse, lambda d: d.abs().mean(0)),
        ],
        "You added up the slopes of all pieces. Each piece is equally likely, so how much should it count?": [
            _of(lambda d: 2 * d.sum(0), lambda d: d.sign().sum(0)),
            _of(_mse, lambda d: d.sign().sum(0)),
        ],
        "You also averaged over the pixels. Each pixel has its own slope: over which dimension should you average?": [
            _of(lambda d: 2 * d.mean(), lambda d: d.sign().mean()),
            _of(lambda d: 2 * d.flatten(1).mean(1) if d.ndim > 1 else _mse(d), _l1),
        ],
        "Your slope is divided by the number of pixels as well. The mean should be over the pieces only.": (
            _by_autograd
        ),
        "For L1 you took the sign of the mean. Then a far piece still counts more than a near one. What does a single "
        "piece contribute to the slope, however far away it is?": _of(_mse, lambda d: d.mean(0).sign()),
        "For L1, a piece that is far away counts more in your code. What is the slope of |x|?": _of(_mse, _mse),
        "For L1 you compared with the median, so the slope is always 1 or -1. Average over the pieces what each of "
        "them contributes.": _of(_mse, lambda d: d.median(0).values.sign()),
        "For L1 you counted the smaller pieces only. What do the larger ones contribute?": _of(
            _mse, lambda d: (d > 0).float().mean(0)
        ),
        "Your two losses are swapped.": _of(_l1, _mse),
        "Both losses have the same slope in your code. Is `loss` used?": _of(_l1, _l1),
        "Where the answer equals a piece, your slope is NaN: 0 / 0. Which torch function returns the sign of a "
        "number?": _of(_mse, lambda d: (d / d.abs()).mean(0)),
    },
    also_accepted=[
        _of(_mse, lambda d: (d > 0).float().mean(0) - (d < 0).float().mean(0)),
        _of(_mse, lambda d: torch.where(d > 0, 1.0, -1.0).mean(0)),
        lambda answer, pieces, loss: 2 * (answer - pieces.mean(0)) if loss == "mse" else _l1(answer - pieces),
        lambda answer, pieces, loss: _by_autograd(answer, pieces, loss, "sum") / len(pieces),
    ],
    hints=(
        "Write down the expected loss at one pixel: the mean over the pieces c of (g - c)^2, or of |g - c|. "
        "Differentiate with respect to g.",
        "(g - c)^2 has the slope 2 (g - c). |g - c| has the slope 1 where g is larger, and -1 where c is.",
        "Use `answer - pieces`, torch.sign for L1, and the mean over dimension 0.",
    ),
)
