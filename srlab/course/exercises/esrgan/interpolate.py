"""Lab 04: interpolating the weights of two networks."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise


def interpolate(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], alpha: float) -> dict[str, torch.Tensor]:
    """Interpolate the weights of two networks, ``(1 - alpha) * a + alpha * b`` (ESRGAN paper, section 3.4).

    Parameters
    ----------
    a, b
        State dicts of one architecture: the same names, in any order. Integer entries, such as the counter of a batch
        norm, cannot be interpolated and are copied from `a`.
    alpha
        Interpolation weight: 0 gives `a`, 1 gives `b`.

    Returns
    -------
    dict of str to torch.Tensor
        New state dict; `a` and `b` are unchanged.
    """
    return {
        key: (1 - alpha) * weight + alpha * b[key] if weight.is_floating_point() else weight.clone()
        for key, weight in a.items()
    }


# The vectors are in different orders. All have the same shape, so pairing them by position raises no error.
_A = {
    "conv.weight": torch.tensor([[1.0, -2.0], [0.5, 3.0]]),
    "conv.bias": torch.tensor([0.25, -1.0]),
    "norm.weight": torch.tensor([1.5, 0.75]),
    "norm.bias": torch.tensor([-0.5, 0.1]),
    "norm.running_mean": torch.tensor([0.4, -0.9]),
    "norm.running_var": torch.tensor([1.1, 2.0]),
}
_B = {
    "conv.weight": torch.tensor([[-1.0, 2.0], [4.0, 1.0]]),
    "norm.bias": torch.tensor([0.3, -0.8]),
    "conv.bias": torch.tensor([2.0, 0.5]),
    "norm.running_var": torch.tensor([0.7, 3.0]),
    "norm.weight": torch.tensor([0.6, 1.25]),
    "norm.running_mean": torch.tensor([-0.2, 1.3]),
}
_COUNTER = "norm.num_batches_tracked"
_COUNTED = _A | {_COUNTER: torch.tensor(100)}, _B | {_COUNTER: torch.tensor(301)}
Rule = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def _each(rule: Rule, named: str = "", counter: Rule = lambda x, y, t: x.clone()) -> Answer:
    """Return an answer with a different rule, for all entries or only for those with `named` in their names."""
    return lambda a, b, t: {
        key: (rule if w.is_floating_point() else counter)(w, b[key], t) if named in key else w.clone()
        for key, w in a.items()
    }


def _running(take: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    """Return an answer that is right except for the running statistics."""
    return lambda a, b, t: interpolate(a, b, t) | {key: take(a[key], b[key]) for key in a if "running" in key}


def _mix(x: torch.Tensor, y: torch.Tensor, t: float) -> torch.Tensor:
    return (1 - t) * x + t * y


EXERCISE = Exercise(
    interpolate,
    level="easy",
    points=3,
    cases={
        "alpha = 0 gives a": (_A, _B, 0.0),
        "alpha = 1 gives b": (_A, _B, 1.0),
        "a quarter of the way": (_A, _B, 0.25),
        "integer entries come from a": (*_COUNTED, 0.25),
    },
    known_mistakes={
        "You swapped `a` and `b`: alpha = 0 should give `a`, and alpha = 1 should give `b`.": _each(
            lambda x, y, t: t * x + (1 - t) * y
        ),
        "Your result is the same for every alpha. Does your code reach the line with alpha? (A tensor is never a "
        "float; its is_floating_point() tells you what kind of numbers it contains.)": [
            _each(lambda x, y, t: (x + y) / 2),
            _each(lambda x, y, t: x.clone()),
            _each(lambda x, y, t: y.clone()),
        ],
        "Your result moves away from `b` as alpha grows. Which of the two do you subtract from the other?": _each(
            lambda x, y, t: x + t * (x - y)
        ),
        "The shares of the two should add up to 1. As `b` comes in, what should happen to the share of `a`?": [
            _each(lambda x, y, t: x + t * y),
            _each(lambda x, y, t: (1 - t) * x + y),
            _each(lambda x, y, t: x + y),
        ],
        "Between the ends, you return one of the two. A mixture is on the straight line between them.": [
            _each(lambda x, y, t: x.clone() if t < 0.5 else y.clone()),
            _each(lambda x, y, t: x.clone() if t == 0 else y.clone()),
        ],
        "You paired the entries by position, but `a` and `b` may list them in different orders. How else can you tell "
        "which entries belong together?": (
            lambda a, b, t: {key: _mix(x, y, t) for (key, x), y in zip(a.items(), b.values(), strict=True)}
        ),
        "You mix only some entries. Mix every floating-point tensor, whatever its name.": [
            _each(lambda x, y, t: _mix(x, y, t) if x.ndim > 1 else x.clone()),
            _each(_mix, named="weight"),
            _each(_mix, named="conv"),
            _each(_mix, named="bias"),
        ],
        "You take the running statistics of batch norm from one network. They are floating-point tensors and belong to "
        "the weights that they were measured with, so mix them, too.": [
            _running(lambda x, y: x.clone()),
            _running(lambda x, y: y.clone()),
        ],
        "The counter of a batch norm is an integer and can't be mixed with a fraction. Which entries are weights?": [
            lambda a, b, t: {key: torch.lerp(a[key], b[key], t) for key in a},
            _each(_mix, counter=_mix),
        ],
        "You reset the counter. Copy everything that is not a floating-point tensor from `a`.": _each(
            _mix, counter=lambda x, y, t: torch.zeros_like(x)
        ),
        "You took the counter from `b`. Copy everything that is not a floating-point tensor from `a`.": _each(
            _mix, counter=lambda x, y, t: y.clone()
        ),
        "You mixed the counter and truncated it. Copy everything that is not a floating-point tensor from `a`.": _each(
            _mix, counter=lambda x, y, t: _mix(x, y, t).long()
        ),
        "Keep every entry: load_state_dict would reject the incomplete result.": [
            lambda a, b, t: {key: _mix(w, b[key], t) for key, w in a.items() if w.is_floating_point()},
            lambda a, b, t: {key: _mix(w, b[key], t) for key, w in a.items() if w.ndim > 1},
        ],
    },
    also_accepted=[_each(torch.lerp)],
    hints=(
        "A state dict maps names to tensors, and two networks of one architecture have the same names.",
        "Go through the names and mix tensor by tensor. is_floating_point tells weights from counters.",
    ),
)
