"""A sign of the code that trains, by which a run knows whether it is still the same."""

import hashlib
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any


def hash_of_step(step: Callable) -> str:
    """A short hash of the source of a training step and of the functions that are written beside it.

    These are the functions that it closes over, also within a dict, list or tuple, and those of its own notebook or
    module that it names; and theirs in turn. Numbers are left out: a run has its own record of its settings.

    Parameters
    ----------
    step
        As `srlab.Trainer.fit` takes it.

    Returns
    -------
    str
        16 hexadecimal digits; "" where there is no source, as for what was typed into an interpreter.
    """
    sources: dict[Any, str] = {}  # by code, so that each counts once and a function may call itself
    waiting: list[Any] = [step]
    while waiting:
        function = waiting.pop()
        function = getattr(function, "__func__", getattr(function, "func", function))  # of a method, of a partial
        if not isinstance(function, FunctionType) or function.__code__ in sources:
            continue
        try:
            sources[function.__code__] = inspect.getsource(function)
            named = inspect.getclosurevars(function)
        except (OSError, TypeError, ValueError):  # there is no source, or it closes over what isn't there yet
            return ""
        here = [value for value in named.globals.values() if getattr(value, "__module__", "") == function.__module__]
        waiting += [*_within(named.nonlocals.values()), *here]
    return hashlib.sha256("\n".join(sorted(sources.values())).encode()).hexdigest()[:16] if sources else ""


def _within(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict | list | tuple):
            yield from _within(value.values() if isinstance(value, dict) else value)
        else:
            yield value
