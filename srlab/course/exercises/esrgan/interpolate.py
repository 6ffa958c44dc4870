"""Lab 04: mixing the weights of two networks."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise


def interpolate(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], alpha: float) -> dict[str, torch.Tensor]:
    """Mix the weights of two networks, ``(1 - alpha) * a + alpha * b`` (ESRGAN paper, section 3.4).

    Parameters
    ----------
    a, b
        State dicts of one architecture: the same names, in any order. Integer entries, such as the counter of a batch
        norm, cannot be mixed and are taken from `a`.
    alpha
        0 gives `a`, 1 gives `b`.

    Returns
    -------
    dict of str to torch.Tensor
        A new state dict; `a` and `b` stay as they are.
    """
    return {
        key: (1 - alpha) * weight + alpha * b[key] if weight.is_floating_point() else weight.clone()
        for key, weight in a.items()
    }


# Their vectors stand in another order; all have one shape, so no place raises an error.
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
    """Mix by another rule; only entries with a word in their names, if there is one."""
    return lambda a, b, t: {
        key: (rule if w.is_floating_point() else counter)(w, b[key], t) if named in key else w.clone()
        for key, w in a.items()
    }


def _running(take: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Answer:
    """Right, but for the running statistics."""
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
        "integers are those of a": (*_COUNTED, 0.25),
    },
    known_mistakes={
        "`a` and `b` have changed places: alpha = 0 should give `a`, and alpha = 1 `b`.": _each(
            lambda x, y, t: t * x + (1 - t) * y
        ),
        "The result is the same for every alpha. Does your code get to the line with alpha in it? (A tensor is never a "
        "float; its is_floating_point() says what kind of numbers it holds.)": [
            _each(lambda x, y, t: (x + y) / 2),
            _each(lambda x, y, t: x.clone()),
            _each(lambda x, y, t: y.clone()),
        ],
        "The result moves away from `b` as alpha grows. Which of the two is subtracted from the other?": _each(
            lambda x, y, t: x + t * (x - y)
        ),
        "The shares of the two should add up to 1. As `b` comes in, what should become of the share of `a`?": [
            _each(lambda x, y, t: x + t * y),
            _each(lambda x, y, t: (1 - t) * x + y),
            _each(lambda x, y, t: x + y),
        ],
        "Between the ends the result is that of one of them. A mix lies on the straight line between both.": [
            _each(lambda x, y, t: x.clone() if t < 0.5 else y.clone()),
            _each(lambda x, y, t: x.clone() if t == 0 else y.clone()),
        ],
        "The entries were paired by their place, but `a` and `b` need not list them in the same order. What else tells "
        "which entries belong together?": (
            lambda a, b, t: {key: _mix(x, y, t) for (key, x), y in zip(a.items(), b.values(), strict=True)}
        ),
        "Only some entries are mixed. Every floating tensor is to be mixed, whatever its name.": [
            _each(lambda x, y, t: _mix(x, y, t) if x.ndim > 1 else x.clone()),
            _each(_mix, named="weight"),
            _each(_mix, named="conv"),
            _each(_mix, named="bias"),
        ],
        "The running statistics of a batch norm are those of one network. They are floating tensors, and belong to the "
        "weights that they were measured with: mix them as well.": [
            _running(lambda x, y: x.clone()),
            _running(lambda x, y: y.clone()),
        ],
        "The counter of a batch norm is an integer, and does not mix with a fraction. Which entries are weights?": [
            lambda a, b, t: {key: torch.lerp(a[key], b[key], t) for key in a},
            _each(_mix, counter=_mix),
        ],
        "The counter begins anew. What is no floating tensor is taken from `a`.": _each(
            _mix, counter=lambda x, y, t: torch.zeros_like(x)
        ),
        "The counter is that of `b`. What is no floating tensor is taken from `a`.": _each(
            _mix, counter=lambda x, y, t: y.clone()
        ),
        "The counter was mixed and cut to an integer. What is no floating tensor is taken from `a`.": _each(
            _mix, counter=lambda x, y, t: _mix(x, y, t).long()
        ),
        "Each entry is needed: load_state_dict would refuse the rest.": [
            lambda a, b, t: {key: _mix(w, b[key], t) for key, w in a.items() if w.is_floating_point()},
            lambda a, b, t: {key: _mix(w, b[key], t) for key, w in a.items() if w.ndim > 1},
        ],
    },
    also_accepted=[_each(torch.lerp)],
    hints=(
        "A state dict maps names to tensors, and two networks of one architecture have the same names.",
        "Go through the names and mix tensor by tensor; is_floating_point tells weights from counters.",
    ),
)
