"""Name runs by the student's code: changed code trains another run, so nothing finished is shown in its place."""

import dis
import hashlib
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any

from srlab.course.lab import Lab
from srlab.training.runs import Run

PLAIN = (bool, int, float, str, bytes, type(None))


def hash_of(*answers: Any) -> str:
    """Return a short hash of the student's answers among these, or "reference" if there are none.

    It changes with everything that the student wrote for an answer: its code and default values, and the functions,
    classes and constants of the notebook that it uses. Other objects, such as lists and networks, count by their type.
    """
    own = [answer for answer in answers if not hasattr(answer, "verdict")]  # only a fallback has a verdict
    if not own:
        return "reference"
    seen: set[int] = set()
    return hashlib.sha256("".join(_text_of(answer, answer.__module__, seen) for answer in own).encode()).hexdigest()[:6]


def _text_of(one: Any, module: str, seen: set[int]) -> str:
    """Return an object as text that is the same in each kernel; functions and classes of other modules by their name.

    Functions are read from their bytecode, because the source of a class in a notebook is not available in Python 3.12.
    """
    if isinstance(one, PLAIN):
        return repr(one)
    if isinstance(one, staticmethod | classmethod):
        one = one.__func__
    if isinstance(one, FunctionType | type):
        if one.__module__ != module or id(one) in seen:
            return one.__qualname__
        seen.add(id(one))
    if isinstance(one, frozenset | set):  # in another order in each process
        parts = sorted(_text_of(part, module, seen) for part in one)
    else:
        parts = [_text_of(part, module, seen) for part in _parts(one)]
    return f"{type(one).__qualname__}{parts}"


def _parts(one: Any) -> Iterator[Any]:
    """Yield what an object consists of, or nothing for an object of an unknown type."""
    if isinstance(one, tuple):
        yield from one
    elif isinstance(one, partial):
        yield from (one.func, one.args, *one.keywords.items())
    elif isinstance(one, property):
        yield one.fget
    elif isinstance(one, CodeType):
        yield from (one.co_code, one.co_names, one.co_consts)
    elif isinstance(one, FunctionType):
        yield from (one.__code__, one.__defaults__, *(one.__kwdefaults__ or {}).items())
        yield from (cell.cell_contents for cell in one.__closure__ or ())
        yield from (one.__globals__[name] for name in sorted(_globals_in(one.__code__)) if name in one.__globals__)
    elif isinstance(one, type):
        yield from one.__bases__
        for name, value in vars(one).items():
            if isinstance(value, FunctionType) or not name.startswith("__"):
                yield from (name, value)


def _globals_in(code: CodeType) -> set[str]:
    """Return the global names that a function uses."""
    inner = [_globals_in(part) for part in code.co_consts if isinstance(part, CodeType)]
    return {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}.union(*inner)


def run_of(lab: Lab, code: str) -> str:
    """Return the name of the run for this code: the lab's, or another one if that run was trained with other code."""
    manifest = Run(lab.name, lab.run).manifest()
    if manifest is None or manifest["parameters"].get("code") == code:
        return lab.run
    print(f"The run {lab.run} was trained with other code, so yours trains as {lab.run}-{code}.")
    print("Later labs show the one that was trained last.")
    return f"{lab.run}-{code}"
