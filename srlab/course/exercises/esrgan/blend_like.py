"""Lab 04: mix two images until they have a given error."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


def blend_like(a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor, mse: float) -> torch.Tensor:
    """Mix two images, (1 - w) a + w b, so that the result has a given MSE against HR.

    Parameters
    ----------
    a, b, hr
        ``(1, 3, H, W)``. The MSE of `a` is below `mse`, and that of `b` above it.
    mse
        Error that the mixture has.

    Returns
    -------
    torch.Tensor
        The mixed image, ``(1, 3, H, W)``, with 0 <= w <= 1.
    """
    low, high = 0.0, 1.0
    for _ in range(40):
        w = (low + high) / 2
        mixed = (1 - w) * a + w * b
        if (mixed - hr).square().mean() > mse:
            high = w
        else:
            low = w
    return mixed


def _case(mse: float, shared: float = 0.0, seed: int = 0) -> tuple[Any, ...]:
    """Return images whose errors are partly the same, and an error between theirs, from 0 (of a) to 1 (of b)."""
    hr = sample(1, 3, 6, 8, seed=seed)
    one = sample(1, 3, 6, 8, low=-0.2, high=0.2, seed=seed + 1)
    other = shared * one + sample(1, 3, 6, 8, low=-0.4, high=0.4, seed=seed + 2)
    low, high = one.square().mean().item(), other.square().mean().item()
    return hr + one, hr + other, hr, low + mse * (high - low)


def _observe(answer: Answer, a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor, mse: float) -> dict[str, Any]:
    mixed = filled(answer(a, b, hr, mse))
    if not isinstance(mixed, torch.Tensor) or mixed.shape != a.shape:
        raise IncorrectAnswer("Return the mixed image, a tensor of the shape of a, not w or an error.")
    return {"the share of b": _share(mixed, a, b), "the image": mixed}


def _share(mixed: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> float:
    return (((mixed - a) * (b - a)).mean() / (b - a).square().mean()).item()


def _errors(a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor) -> tuple[float, float]:
    return (a - hr).square().mean().item(), (b - hr).square().mean().item()


def _with(share: Callable[..., float]) -> Answer:
    """Return an answer with another share of b, a function of both errors and the wanted one."""

    def answer(a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor, mse: float) -> torch.Tensor:
        w = share(*_errors(a, b, hr), mse)
        return (1 - w) * a + w * b

    return answer


def _search(step: float, end: float = 1.0) -> Answer:
    """Return an answer that tries shares of b one after the other, and takes the best one."""

    def answer(a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor, mse: float) -> torch.Tensor:
        tried = [(1 - w) * a + w * b for w in torch.arange(0, end + step / 2, step).tolist()]
        return min(tried, key=lambda mixed: abs((mixed - hr).square().mean().item() - mse))

    return answer


def _solved(sign: float) -> Answer:
    """Return an answer that solves the quadratic equation of w; the other sign gives the other root."""

    def answer(a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor, mse: float) -> torch.Tensor:
        step, error = b - a, a - hr
        q, p, c = step.square().mean(), 2 * (error * step).mean(), error.square().mean() - mse
        w = (-p + sign * (p * p - 4 * q * c).sqrt()) / (2 * q)
        return (1 - w) * a + w * b

    return answer


def _uphill(a: torch.Tensor, b: torch.Tensor, hr: torch.Tensor, mse: float) -> torch.Tensor:
    low, high = 0.0, 1.0
    for _ in range(40):
        w = (low + high) / 2
        mixed = (1 - w) * a + w * b
        if (mixed - hr).square().mean() > mse:
            low = w
        else:
            high = w
    return mixed


EXERCISE = Exercise(
    blend_like,
    level="medium",
    points=4,
    cases={
        "an image between a and b with this MSE": _case(0.5),
        "errors that partly cancel, so that the MSE first falls": _case(0.1, seed=3),
        "errors that are partly the same": _case(0.7, shared=1.0, seed=6),
    },
    observe=_observe,
    known_mistakes={
        "You take the share of b from the two errors as if the MSE grew in a straight line. It's a mean of squares. "
        "How does it depend on w? You can also search for w.": [
            _with(lambda low, high, mse: (mse - low) / (high - low)),
            _with(lambda low, high, mse: (mse**0.5 - low**0.5) / (high**0.5 - low**0.5)),
        ],
        "Your result is halfway between a and b, whatever mse is.": _with(lambda low, high, mse: 0.5),
        "Your result is a or b itself. If you search: where the mixture's error is too large, does it need more of b, "
        "or less?": [
            _with(lambda low, high, mse: 0.0),
            _with(lambda low, high, mse: 1.0),
            _uphill,
        ],
        "You swapped the shares: with w = 0 the result should be a, and with w = 1 it should be b.": [
            lambda a, b, hr, mse: a + b - blend_like(a, b, hr, mse),
        ],
        "Your search is too coarse: the share of b is off by more than 0.001.": [
            _search(0.1),
            _search(0.05),
            _search(0.02),
            _search(0.01),
        ],
        "You solved the equation for w, and took the root outside of 0 to 1.": _solved(-1),
    },
    also_accepted=[_solved(1), _search(0.0002)],
    fallback_messages={
        "the share of b": "The mixture doesn't have the wanted MSE. Compute its error against hr, and compare it.",
        "the image": "The result is not on the line between a and b. Is there a clamp, or a factor too many?",
    },
    tolerance=1e-3,
    reveal=False,
    hints=(
        "At w = 0 the error is below mse, at w = 1 it's above. Where in between does it pass mse? You can halve the "
        "interval again and again.",
        "Or write the MSE as a quadratic function of w, with the means of (a - hr)^2, (a - hr)(b - a) and (b - a)^2, "
        "and solve for w.",
    ),
)
