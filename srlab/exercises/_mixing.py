"""The exercise of lab 05 about mixing the weights of two networks."""

from collections.abc import Callable, Iterable

import torch

from srlab.exercises._steps import Answer, Exercise, Wrong, difference, filled, near, tensor

Weights = dict[str, torch.Tensor]
Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def interpolate(a: Weights, b: Weights, alpha: float) -> Weights:
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


_COUNTER = "norm.num_batches_tracked"


def _weights() -> tuple[Weights, Weights]:
    """Two state dicts whose vectors stand in another order; all have one shape, so no place raises an error."""
    a = {
        "conv.weight": torch.tensor([[1.0, -2.0], [0.5, 3.0]]),
        "conv.bias": torch.tensor([0.25, -1.0]),
        "norm.weight": torch.tensor([1.5, 0.75]),
        "norm.bias": torch.tensor([-0.5, 0.1]),
    }
    b = {
        "conv.weight": torch.tensor([[-1.0, 2.0], [4.0, 1.0]]),
        "norm.bias": torch.tensor([0.3, -0.8]),
        "conv.bias": torch.tensor([2.0, 0.5]),
        "norm.weight": torch.tensor([0.6, 1.25]),
    }
    return a, b


def _mixed(answer: Answer, a: Weights, b: Weights, alpha: float) -> Weights:
    """The answer's state dict, with all keys and shapes, and the two that came in unchanged."""
    given_a, given_b = ({key: value.clone() for key, value in weights.items()} for weights in (a, b))
    integers = "The counter of a batch norm is an integer, and does not mix with a fraction. Which entries are weights?"
    try:
        result = filled(answer(given_a, given_b, alpha))
    except RuntimeError as error:
        if any(word in str(error) for word in ("Long", "dtype", "result type")):
            raise Wrong(f"{integers} (torch says: {str(error).splitlines()[0]})") from error
        raise
    if callable(result) or isinstance(result, torch.Tensor):
        raise Wrong(
            "The result should be a state dict. It is the weights that are mixed here, once, and not the images that "
            "the two networks make: the mixed network runs once, and its picture is another one."
        )
    if not isinstance(result, dict):
        raise Wrong(f"The result should be a dict of tensors, but is a {type(result).__name__}.")
    if missing := [key for key in a if key not in result]:
        raise Wrong(f"The entry {missing[0]} is missing, and load_state_dict would refuse the rest.")
    for key, value in a.items():
        tensor(result[key], tuple(value.shape), f"That is the entry {key}.")
    for name, weights, given in (("a", a, given_a), ("b", b, given_b)):
        if any(key not in given or not torch.equal(value, given[key]) for key, value in weights.items()):
            raise Wrong(
                f"The weights in {name} were changed in place, so the network that they came from is another one now. "
                "Fill a new dict with new tensors."
            )
    return result


def _agree(result: Weights, a: Weights, b: Weights, rule: Rule) -> list[bool]:
    return [near(result[key], rule(a[key], b[key])) for key in a]


def _compare(
    result: Weights, a: Weights, b: Weights, alpha: float, mistakes: Iterable[tuple[str, Rule]], otherwise: str
) -> None:
    """Accept the mix, then look for mistakes in all entries, in the order of the entries, and in some entries."""

    def mix(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (1 - alpha) * x + alpha * y

    right = _agree(result, a, b, mix)
    if all(right):
        return
    for hint, rule in mistakes:
        if all(_agree(result, a, b, rule)):
            raise Wrong(hint)
    first = list(a)[right.index(False)]
    if all(_agree(result, a, dict(zip(a, b.values(), strict=True)), mix)):
        raise Wrong(
            f"The entries were paired by their place, but `a` and `b` need not list them in the same order: {first} "
            "was mixed with an entry of another name. What else tells which entries belong together?"
        )
    if any(right):
        for name, weights in (("a", a), ("b", b)):
            if near(result[first], weights[first]):
                raise Wrong(
                    f"Only some entries are mixed: {first} is still that of `{name}`. Every floating tensor is to be "
                    "mixed, whatever its name."
                )
    place = difference(result[first], mix(a[first], b[first]))
    raise Wrong(f"{otherwise} The first entry that differs is {first}. {place}")


def _mix_ends(answer: Answer) -> None:
    a, b = _weights()
    first, second = (_mixed(answer, a, b, alpha) for alpha in (0.0, 1.0))
    if all(_agree(first, a, b, lambda x, y: y)) and all(_agree(second, a, b, lambda x, y: x)):
        raise Wrong("The ends have changed places: alpha = 0 should give `a`, and alpha = 1 `b`.")
    if all(near(first[key], second[key]) for key in a):
        raise Wrong("alpha = 0 and alpha = 1 give the same weights. Where does alpha come in?")
    added = "With alpha = 1 the weights are the sum of both. As `b` comes in, what should become of the share of `a`?"
    _compare(first, a, b, 0.0, (), "alpha = 0 should give the weights of `a`.")
    _compare(second, a, b, 1.0, [(added, lambda x, y: x + y)], "alpha = 1 should give the weights of `b`.")


def _mix_between(answer: Answer) -> None:
    (a, b), alpha = _weights(), 0.25
    ends = "Between the ends the result is that of one of them. A mix lies on the straight line between both."
    shares = "The shares of the two should add up to 1."
    mistakes = [
        (
            "A quarter of the way from `a` to `b` was asked for, and yours is the other way.",
            lambda x, y: alpha * x + (1 - alpha) * y,
        ),
        (shares, lambda x, y: (1 - alpha) * x + y),
        (shares, lambda x, y: x + alpha * y),
        ("The result is always half and half. Where does alpha come in?", lambda x, y: (x + y) / 2),
        (ends, lambda x, y: x),
        (ends, lambda x, y: y),
    ]
    _compare(_mixed(answer, a, b, alpha), a, b, alpha, mistakes, "alpha = 0.25 gives other weights.")


def _mix_integers(answer: Answer) -> None:
    a, b = ({**weights, _COUNTER: torch.tensor(count)} for weights, count in zip(_weights(), (100, 301), strict=True))
    counter = _mixed(answer, a, b, 0.25)[_COUNTER]
    if counter.is_floating_point():
        raise Wrong(
            f"The counter {_COUNTER} went in as an integer and came out as {counter.item():g}, a float. It counts "
            "batches and is no weight; hand it on as it is."
        )
    if counter.item() == 301:
        raise Wrong(f"The counter {_COUNTER} is that of `b`. What is no floating tensor is taken from `a`.")
    if counter.item() != 100:
        raise Wrong(
            f"The counter {_COUNTER} was 100 in `a` and 301 in `b`, but came out as {counter.item()}. What is no "
            "floating tensor is not mixed but taken from `a`."
        )


EXERCISES = {
    "evaluation.interpolate": Exercise(
        interpolate,
        (
            ("alpha = 0 gives a, alpha = 1 gives b", _mix_ends),
            ("a quarter of the way", _mix_between),
            ("integers are those of a", _mix_integers),
        ),
        "easy",
        (
            "A state dict maps names to tensors, and two networks of one architecture have the same names.",
            "Go through the names and mix tensor by tensor; is_floating_point tells weights from counters.",
        ),
    ),
}
