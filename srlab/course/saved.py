"""What a check leaves in a saved notebook beside its words, and where a notebook calls one."""

import ast
import re
from enum import Enum

from IPython.core.inputtransformer2 import TransformerManager

# An exercise and a value of `Result`, in the HTML that a check shows: each editor keeps HTML, and a media type of our
# own perhaps not.
MARK = '<div data-srlab-check="{} {}">'

CLAIM = "application/vnd.srlab.claim+json"  # media type of a checked claim, from which `make seeds` makes its table
HEADLINE = "application/vnd.srlab.headline+json"  # media type under which `make labs` finds a lab's main figure


class Result(Enum):
    """How an exercise of a notebook stands; each place that tells somebody has words of its own."""

    RIGHT = "right"
    HINT = "hint"
    TODO = "to do"
    NOT_RUN = "not run"
    MISSING = "missing"  # the lab has it, and the notebook has not


def parse_cell(source: str) -> ast.Module:
    """The statements of a cell, magics and all.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        It is no Python; the last three of what only an attacker writes.
    """
    source = re.sub(r"\A\s*%%(time|capture).*\n", "", source)
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse(TransformerManager().transform_cell(source))


def calls_of(function: str, source: str) -> list[ast.Call]:
    """Calls of a function of srlab in a cell, from the first to the last; none of a cell that is no Python."""
    if function not in source:
        return []
    try:
        tree = parse_cell(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) == function]
    return sorted(named, key=lambda call: (call.lineno, call.col_offset))


def checks_in(source: str) -> list[str]:
    """The exercises that a cell checks, in order; a name that no exercise can have isn't one."""
    return [name for call in calls_of("check", source) if (name := checked(call))]


def checked(call: ast.Call) -> str:
    """The exercise that a call of `check` is about, such as ``"degradation.psnr"``; empty of another call."""
    given = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "name"), None)
    name = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""
    of_check = getattr(call.func, "attr", getattr(call.func, "id", "")) == "check"
    return name if of_check and re.fullmatch(r"\w+\.\w+", name, re.ASCII) else ""
