"""Extra on attention: each pixel averages the values of the others, with weights from queries and keys."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise, sample


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


def _attend(
    scale: Callable[[int], float] = lambda d: d**-0.5,
    dim: int = -1,
    bias_at: str = "scores",
    softmax: Callable[[torch.Tensor, int], torch.Tensor] = torch.softmax,
) -> Answer:
    """Return an answer with its parts right or wrong; `bias_at` is where the bias is added."""

    def answer(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        scores = q @ k.transpose(-2, -1)
        if bias_at == "before scaling":
            scores = scores + bias
        scores = scores * scale(q.shape[-1])
        if bias_at == "scores":
            scores = scores + bias
        weights = softmax(scores, dim)
        if bias_at == "weights":
            weights = weights + bias
        return weights @ v

    return answer


def _exp(scores: torch.Tensor, dim: int) -> torch.Tensor:
    return scores.exp() / scores.exp().sum(dim, keepdim=True)


def _without_softmax(scores: torch.Tensor, dim: int) -> torch.Tensor:
    return scores


def _swapped(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return attend(k, q, v, bias)


def _keys_as_values(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return attend(q, k, k, bias)


def _weights(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias).softmax(-1)


def _not_transposed(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return (q @ k / q.shape[-1] ** 0.5 + bias).softmax(-1) @ v


def _ready(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)


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
    known_mistakes={
        "You don't divide the scores by anything. With d features the dot product of random vectors grows like the "
        "square root of d.": [_attend(scale=lambda d: 1.0)],
        "You divide the scores by d. Their spread grows like the square root of d.": _attend(scale=lambda d: 1 / d),
        "You multiply by the square root of d. Divide.": _attend(scale=lambda d: d**0.5),
        "Your weights add up to 1 over the queries. Each query should have weights that add up to 1 over the keys, the "
        "last axis.": [_attend(dim=-2), _attend(dim=-2, scale=lambda d: 1.0)],
        "Your weights add up to 1 over the heads. They should over the keys, the last axis.": _attend(dim=1),
        "You swapped queries and keys: a row of the scores should belong to a query.": _swapped,
        "You average the keys. The weights are for the values.": _keys_as_values,
        "You add the bias to the weights, after the softmax. Then they don't add up to 1. It belongs to the scores.": [
            _attend(bias_at="weights")
        ],
        "You scale the bias, too. Only the dot products are scaled.": _attend(bias_at="before scaling"),
        "You don't use the bias.": _attend(bias_at="nowhere"),
        "Scores of several hundred make exp overflow, and the result is NaN. torch.softmax subtracts the largest score "
        "first.": _attend(softmax=_exp),
        "Your weights can be negative, and they don't add up to 1. What turns scores into weights?": [
            _attend(softmax=_without_softmax)
        ],
        "You return the weights. They still need to be applied to the values.": _weights,
        "Each query meets each key, so one of the two needs its last two axes swapped.": _not_transposed,
    },
    also_accepted=[_attend(), _ready],
    reveal=False,
    hints=(
        "How similar is query i to key j? A dot product. For all pairs it's a matrix product with k transposed.",
        "Scores q @ k.transpose(-2, -1) / sqrt(d), plus the bias; a softmax over the last axis; times v.",
    ),
)
