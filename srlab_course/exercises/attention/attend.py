"""Extra on attention: each pixel averages the values of the others, with weights from queries and keys."""

import torch

from srlab_course.feedback.exercise import Exercise, sample


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return scaled dot-product attention (Vaswani et al. 2017, equation 1) with a bias on the scores.

    Parameters
    ----------
    q, k, v
        Queries, keys and values, ``(windows, heads, pixels, d)``.
    bias
        Added to each score, broadcastable to ``(windows, heads, pixels, pixels)``; the query is on the second last
        axis.

    Returns
    -------
    torch.Tensor
        ``(windows, heads, pixels, d)``.
    """
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias
    return scores.softmax(dim=-1) @ v


def _inputs(
    low: float, bias: torch.Tensor, size: tuple[int, ...] = (3, 2, 9, 4)
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v = (sample(*size, low=low, high=-low, seed=seed) for seed in (1, 2, 3))
    return q, k, v, bias


def _mask() -> torch.Tensor:
    """Return a bias that forbids about half of all pairs, but not a pixel and itself."""
    free = (sample(3, 1, 9, 9, seed=5) < 0.5) | torch.eye(9, dtype=torch.bool)
    return torch.zeros(3, 1, 9, 9).masked_fill(~free, float("-inf"))


EXERCISE = Exercise(
    attend,
    level="easy",
    points=3,
    cases={
        "without a bias": _inputs(-2, torch.zeros(2, 9, 9)),
        "with a bias for each head": _inputs(-2, sample(2, 9, 9, low=-3, high=3, seed=4)),
        "with pairs that may not see each other": _inputs(-2, _mask()),
        "with scores of several hundred": _inputs(-30, torch.zeros(2, 9, 9)),
    },
    reveal=False,
)
