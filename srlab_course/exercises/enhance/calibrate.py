"""Lab 08: a threshold with a promise, by conformal risk control (Angelopoulos et al. 2022)."""

from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, filled, sample
from srlab_course.feedback.value_comparison import take


def calibrate(score: torch.Tensor, wrong: torch.Tensor, thresholds: torch.Tensor, promise: float) -> torch.Tensor:
    """Return the largest threshold for which the promise on trusted and wrong pixels holds for a new patch.

    A pixel is trusted if its score is below the threshold. The risk of a patch is the share of its pixels that are
    trusted and wrong. The promise is about the mean risk of n patches and one more, for which the worst is assumed: 1.

    Parameters
    ----------
    score
        ``(n, pixels)``, larger where a pixel deserves less trust.
    wrong
        Bool, ``(n, pixels)``.
    thresholds
        ``(T,)``, ascending. With the first one, nothing is trusted.
    promise
        Largest mean risk, such as 0.05.

    Returns
    -------
    torch.Tensor
        ``()``, one of `thresholds`; the first one if no promise can be made.
    """
    count, best = len(score), thresholds[0]
    for threshold in thresholds:
        risks = ((score < threshold) & wrong).float().mean(1)
        if (risks.sum() + 1) / (count + 1) > promise:
            break
        best = threshold
    return best


def _patches(count: int, seed: int, hard: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return scores, wrong pixels and thresholds; patches differ, and pixels with a high score are wrong more often."""
    score = 20 * sample(count, 50, low=0.01, seed=seed) * sample(count, 1, low=0.3, seed=seed + 1)
    wrong = sample(count, 50, seed=seed + 2) < hard * score / 20
    return score, wrong, torch.linspace(0, 20, 401)


def _observe(
    answer: Answer, score: torch.Tensor, wrong: torch.Tensor, thresholds: torch.Tensor, promise: float
) -> dict[str, Any]:
    return {"the threshold": take(filled(answer(score, wrong, thresholds, promise)), 0.0)}


EXERCISE = Exercise(
    calibrate,
    level="medium",
    points=5,
    observe=_observe,
    cases={
        "forty patches, 5 %": (*_patches(40, 0), 0.05),
        "thirty patches, 10 %": (*_patches(30, 5, hard=2.0), 0.1),
        "too few patches for a promise": (*_patches(10, 9), 0.05),
        "everything may be trusted": (*_patches(60, 12, hard=0.05), 0.2),
    },
    reveal=False,
)
