"""A sign of the code that trains, by which a run knows whether it is still the same."""

import hashlib
import inspect
from collections.abc import Callable, Iterator
from tokenize import TokenError
from types import CodeType, FunctionType
from typing import Any

from torch import nn


def hash_of_step(step: Callable) -> str:
    """A short hash of the source of a training step and of what is written beside it.

    That is the functions and objects that it closes over, and those of its own notebook or module that it names, also
    within a dict, list or tuple; and theirs in turn. Of an object, such as a network, its class counts, and those of
    its layers. Numbers are left out: a run has its own record of its settings.

    Parameters
    ----------
    step
        As `srlab.Trainer.fit` takes it.

    Returns
    -------
    str
        16 hexadecimal digits; "" where there is no source, as for what was typed into an interpreter.
    """
    sources: dict[CodeType, str] = {}  # by code, so that each counts once and a function may call itself
    waiting: list[tuple[Any, str]] = [(step, "")]  # each with the module of what has named it
    while waiting:
        found, module = waiting.pop()
        function = getattr(found, "__func__", getattr(found, "func", found))  # of a method, of a partial
        if not isinstance(function, FunctionType):
            waiting += [(one, module) for one in _methods(found, {module, "__main__"})]
            continue
        if function.__code__ in sources:
            continue
        if function.__code__.co_filename == "<string>":  # since Python 3.13, that may be the text of `python -c`
            return ""
        try:
            sources[function.__code__] = inspect.getsource(function)
            closed = [cell.cell_contents for cell in function.__closure__ or ()]
        except (OSError, TypeError, ValueError, TokenError):  # no source, another file's, or a variable without a value
            return ""
        module = function.__module__
        named = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
        here = [value for value in named if not isinstance(value, FunctionType) or value.__module__ == module]
        waiting += [(value, module) for value in _within([*closed, *here])]
    return hashlib.sha256("\n".join(sorted(sources.values())).encode()).hexdigest()[:16] if sources else ""


def _names(code: CodeType) -> Iterator[str]:
    """What a function, and what is defined in it, looks up outside."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _methods(value: Any, modules: set[str]) -> Iterator[FunctionType]:
    """The functions of a class, or of those of an object and its layers, if it is written in one of the modules."""
    things = value.modules() if isinstance(value, nn.Module) else [value]
    for kind in {base for thing in things for base in (thing if isinstance(thing, type) else type(thing)).__mro__}:
        if kind.__module__ in modules:
            written = (one for one in vars(kind).values() if isinstance(one, FunctionType))
            yield from (one for one in written if one.__code__.co_filename != "<string>")  # as of a dataclass


def _within(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict | list | tuple):
            yield from _within(value.values() if isinstance(value, dict) else value)
        else:
            yield value
