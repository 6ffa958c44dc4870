"""Comparing an answer with what is wanted so that the place shows where they differ."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from srlab.exercises import Wrong, near


def compare(
    result: Any,
    wanted: Any,
    mistakes: Iterable[tuple[str, Any]] = (),
    otherwise: str = "",
    tolerance: float = 1e-4,
    keys: Sequence[str] = (),
) -> None:
    """Accept the wanted value, recognise known wrong ones by theirs, and show the first difference for any other.

    Parameters
    ----------
    result, wanted
        Tensors or numbers of the same shape.
    mistakes
        Pairs of (hint, the value that this mistake leads to).
    otherwise
        What to say when the value belongs to no known mistake.
    tolerance
        Largest absolute difference that counts as equal.
    keys
        Names of the values, for a result ``(K,)`` that was made of a dict.
    """
    if near(result, wanted, tolerance):
        return
    for hint, value in mistakes:
        if near(result, value, tolerance):
            raise Wrong(hint)
    raise Wrong(f"{otherwise} {difference(result, wanted, tolerance, keys)}".strip())


def difference(result: Any, wanted: Any, tolerance: float = 1e-4, keys: Sequence[str] = ()) -> str:
    """One sentence on the first place where two tensors or numbers of one shape differ; `compare` has the rest."""
    result, wanted = (torch.as_tensor(x).detach().double() for x in (result, wanted))
    # Not "differs by more", which NaN never does.
    place = (~((result - wanted).abs() <= tolerance)).nonzero()[0].tolist()
    pair = wanted[tuple(place)].item(), result[tuple(place)].item()
    expected, given = _unlike(*pair)
    if not place:
        return f"Expected {expected}, but your answer gives {given}."
    where = keys[place[0]] if keys else str(place)
    return f"The first difference is at {where}: expected {expected}, but your answer gives {given}."


def _unlike(a: float, b: float) -> tuple[str, str]:
    """Both numbers with four digits, or as many more as it takes to tell them apart."""
    texts = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(4, 18))
    return next((pair for pair in texts if pair[0] != pair[1]), (str(a), str(b)))
