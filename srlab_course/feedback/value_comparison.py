"""Compare two results and describe their first difference in a sentence."""

import math
import numbers
from typing import Any

import torch

from srlab_course.feedback.exercise import IncorrectAnswer, filled

ROUNDING = 1e-5  # of float32 sums in another order, relative to the value


def difference(
    given: Any, wanted: Any, tolerance: float = 1e-4, reveal: bool = True, place: str = "", any_kind: bool = False
) -> str:
    """Return a description of the first difference between two results, or "" if they are equal.

    Results are numbers, tensors, strings, or lists, tuples and dicts of these; anything else is compared with ``==``. A
    number equals a tensor of shape ``()``, a list equals a tuple, and NaN equals NaN. A float64 tensor does not equal a
    float32 tensor, because a network would reject it. With infinite tolerance, only types and shapes are compared.

    If `reveal`, show the expected value. `place` is the position of both in a larger result. With `any_kind`, the type
    of a tensor's numbers does not count. A missing value raises `IncorrectAnswer` (None) or `NotAttempted` (`TODO`).
    """
    if wanted is not None:
        filled(given)
    name = f"The result ({place})" if place else "The result"
    kind = type(given).__name__
    parts: list[tuple[Any, Any, str]] = []
    if isinstance(wanted, dict):
        if not isinstance(given, dict):
            return f"{name} should be a dict, but its type is {kind}."
        if odd := [key for key in {**wanted, **given} if (key in wanted) != (key in given)]:
            return f"There should be a value for {odd[0]}." if odd[0] in wanted else f"{odd[0]} should have no value."
        parts = [(given[key], wanted[key], str(key)) for key in wanted]
    elif isinstance(wanted, list | tuple):
        if not isinstance(given, list | tuple):
            return f"{name} should have {len(wanted)} values, but its type is {kind}."
        if len(given) != len(wanted):
            return f"{name} should have {len(wanted)} values, but has {len(given)}."
        parts = [(*pair, f"place {i}") for i, pair in enumerate(zip(given, wanted, strict=True))]
    elif isinstance(wanted, torch.Tensor | numbers.Real) and not isinstance(wanted, bool):
        return _of_tensors(given, _tensor(wanted), tolerance, reveal, place, any_kind)
    elif not isinstance(given, type(wanted)) or (given != wanted and tolerance < math.inf):
        return _sentence(place, str(wanted) or "nothing", str(given) or "nothing", reveal)
    return next(filter(None, (difference(a, b, tolerance, reveal, where, any_kind) for a, b, where in parts)), "")


def take(result: Any, like: Any) -> Any:
    """Return a result if it has the type and shape of another one; otherwise raise `IncorrectAnswer`."""
    if said := difference(result, like, math.inf):
        raise IncorrectAnswer(said)
    return result


def _of_tensors(given: Any, wanted: torch.Tensor, tolerance: float, reveal: bool, place: str, any_kind: bool) -> str:
    name = f"The result ({place})" if place else "The result"
    given = _tensor(given)
    if not isinstance(given, torch.Tensor):
        return f"{name} should be a {'tensor' if wanted.ndim else 'number'}, but its type is {type(given).__name__}."
    if given.shape != wanted.shape:
        shape = f"have {tuple(wanted.shape)}" if wanted.ndim else "be a single number, with shape ()"
        return f"{name} has shape {tuple(given.shape)}, but should {shape}."
    larger = given.is_floating_point() and given.dtype.itemsize > wanted.dtype.itemsize
    if wanted.ndim and larger and not any_kind:
        kinds = (str(values.dtype).removeprefix("torch.") for values in (given, wanted))
        return "{} is in {}, but should be in {}.".format(name, *kinds)
    if tolerance == math.inf:
        return ""
    given, wanted = (value.detach().double().cpu() for value in (given, wanted))
    near = torch.isclose(given, wanted, rtol=ROUNDING, atol=tolerance, equal_nan=True)
    if near.all():
        return ""
    first = (~near).nonzero()[0].tolist()
    where = f"{place} {first if first else ''}".strip()
    return _sentence(where, *_unlike(wanted[tuple(first)].item(), given[tuple(first)].item()), reveal)


def _tensor(value: Any) -> Any:
    return torch.tensor(float(value), dtype=torch.float64) if isinstance(value, numbers.Real) else value


def shown(value: Any) -> str:
    """Return a value as text: at most four numbers with four digits each."""
    if not isinstance(value, torch.Tensor | float):
        return str(value)
    values = torch.as_tensor(value).flatten()
    return ", ".join(f"{x:.4g}" for x in values[:4].tolist()) + (", ..." if len(values) > 4 else "")


def _sentence(place: str, wanted: str, given: str, reveal: bool) -> str:
    if not reveal:
        return f"Your answer returns {given}{place and f' at {place}'}."
    if place:
        return f"The first difference is at {place}: expected {wanted}, but your answer returns {given}."
    return f"Expected {wanted}, but your answer returns {given}."


def _unlike(a: float, b: float) -> tuple[str, str]:
    """Format both numbers with four digits, or with more if the strings would be equal."""
    texts = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(4, 18))
    return next((pair for pair in texts if pair[0] != pair[1]), (str(a), str(b)))
