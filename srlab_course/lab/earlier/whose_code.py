"""Tell the student's code from the course's: name runs after it, and print which of the two trained a result.

Changed code trains another run, so nothing finished is shown in its place.
"""

import dis
import re
from collections.abc import Iterator
from functools import cached_property, partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType
from typing import Any

from srlab.training.runs import Run
from srlab_course.lab.lab import Lab
from srlab_course.lab.run_names import short_hash
from srlab_course.layout import in_lines

CODE = (FunctionType, BuiltinFunctionType, type, partial)
PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))
WHOSE = {"you": "your", "the course": "the course's"}
NOT_OWN = (None, "reference", "srlab")  # the code in a manifest if none of it is a student's

# --- Whose code it is ---


def credit(*answers: Any, **networks: Any) -> str:
    """Print what is from the student and what is from the course, and return it as a sentence for a caption.

    Only what is printed names the origins of networks, such as their runs.

    Parameters
    ----------
    answers
        Functions and classes that trained a result, as `course.check` returned them.
    networks
        Label -> network, or its origin: ``"LAB/RUN"``, or another text if it comes with the course.
    """
    found: dict[str, list[str]] = {"you": [], "the course": []}
    origins = {}
    for answer in answers:
        name = getattr(_inner(answer), "__name__", type(answer).__name__)
        found["you" if _is_from_notebook(answer) else "the course"].append(name)
    for label, network in networks.items():
        origin = network if isinstance(network, str) else getattr(network, "origin", "")
        found["you" if is_own(origin) else "the course"].append(label)
        origins[label] = f" ({origin})" if origin else ""
    for owner, names in found.items():
        if names:
            print(in_lines(f"{WHOSE[owner]} code: ", ", ".join(name + origins.get(name, "") for name in names)))
    parts = [f"{WHOSE[owner]} {', '.join(names)}" for owner, names in found.items() if names]
    return f"Trained with {' and '.join(parts) or 'code of the course'}."


def whose(origin: str) -> str:
    """Return in a few words whose code trained a network, with its run, given its origin "LAB/RUN"."""
    return f"{'you' if is_own(origin) else 'the code of the course'} ({origin})"


def is_own(origin: str) -> bool:
    """Return whether a network was trained with a student's code, given its origin: "LAB/RUN", or another text."""
    lab, _, run = origin.partition("/")
    manifest = Run(lab, run).manifest() if run else None
    return bool(manifest) and manifest["parameters"].get("code") not in NOT_OWN


# --- The run of this code ---


def run_of(lab: Lab, code: str, teacher: str = "") -> str:
    """Return the name of the run for this code: the lab's, or another one if that run was trained with other code.

    A run of lab 07 also depends on its `teacher`, the run ``"LAB/NAME"`` from which it learned.
    """
    manifest = Run(lab.name, lab.run).manifest()
    trained = manifest["parameters"] if manifest else {"code": code, "teacher": teacher}
    new_code, new_teacher = trained.get("code") != code, trained.get("teacher", "") != teacher
    name = lab.run + f"-{code}" * new_code + f"-from-{short_hash(teacher)}" * new_teacher
    if name != lab.run:
        other = " and ".join(["other code"] * new_code + ["another teacher"] * new_teacher)
        print(f"The run {lab.run} was trained with {other}, so yours trains as {name}.")
        print("Later labs show the one that was trained last.")
    return name


def without_code(name: str, manifest: dict[str, Any]) -> str:
    """Return a run's name without its code, teacher and start, as "default-hybrid" for "default-4f0c21-hybrid"."""
    code = re.escape(str(manifest["parameters"].get("code")))
    return re.sub(rf"-(from-\w{{6}}|yours-\w{{6}}|{code})(?=$|-)", "", name)  # "yours": see `with_own_start`


# --- A hash of the code ---


def hash_of(*answers: Any) -> str:
    """Return a short hash of the student's answers among these, or "reference" if there are none.

    It changes with what the student wrote for an answer: its code and default values, and the functions, classes and
    constants of the notebook that it uses. Variables with other values, such as lists and networks, do not count.
    """
    own = [answer for answer in answers if _is_from_notebook(answer)]
    seen: set[int] = set()
    text = "".join(_text_of(answer, _inner(answer).__module__, seen) for answer in own)
    return short_hash(text) if own else "reference"


def _inner(answer: Any) -> Any:
    """Return the function of an answer that is a partial, else the answer."""
    return getattr(answer, "func", answer)


def _is_from_notebook(answer: Any) -> bool:
    """Return whether an answer is the student's: neither a fallback, which has a verdict, nor code of srlab."""
    module = _inner(answer).__module__ or ""
    return not hasattr(answer, "verdict") and module.partition(".")[0] not in ("srlab", "srlab_course")


def _text_of(one: Any, module: str, seen: set[int]) -> str:
    """Return an object as text that is the same in each kernel; functions and classes of other modules by their name.

    Functions are read from their bytecode. Their source is missing below %%time, and for a class without functions, and
    it does not show the value of a default that comes from a list.
    """
    if not isinstance(one, FunctionType):
        one = getattr(one, "__wrapped__", one)  # of lru_cache, and of a static method
    if isinstance(one, FunctionType | BuiltinFunctionType | type):
        if one.__module__ != module or id(one) in seen:
            return one.__qualname__
        seen.add(id(one))
    if isinstance(one, frozenset | set):  # in another order in each process
        return str(sorted(_text_of(part, module, seen) for part in one))
    if parts := [_text_of(part, module, seen) for part in _parts(one)]:
        return f"{type(one).__qualname__}{parts}"
    return type(one).__qualname__ if " at 0x" in repr(one) else repr(one)


def _parts(one: Any) -> Iterator[Any]:
    """Yield what an object consists of, or nothing for a plain value."""
    if isinstance(one, tuple):
        yield from one
    elif isinstance(one, partial):
        yield from (one.func, one.args, *one.keywords.items())
    elif isinstance(one, property | cached_property):
        yield one.fget if isinstance(one, property) else one.func
    elif isinstance(one, CodeType):
        yield from (one.co_code, one.co_names, one.co_consts)
    elif isinstance(one, FunctionType):
        yield from (one.__code__, one.__defaults__, *(one.__kwdefaults__ or {}).items())
        outside = [cell.cell_contents for cell in one.__closure__ or () if cell != CellType()]  # some are empty
        outside += [one.__globals__.get(name) for name in sorted(_globals_in(one.__code__))]
        yield from (value for value in outside if isinstance(value, CODE + PLAIN) or hasattr(value, "__wrapped__"))
    elif isinstance(one, type):
        yield from one.__bases__
        for name, value in vars(one).items():
            if isinstance(value, FunctionType) or not name.startswith("__"):
                yield from (name, value)


def _globals_in(code: CodeType) -> set[str]:
    """Return the global names that a function uses."""
    inner = [_globals_in(part) for part in code.co_consts if isinstance(part, CodeType)]
    return {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}.union(*inner)
