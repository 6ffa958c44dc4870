"""What a check leaves in a saved notebook, and where a notebook calls one."""

import ast
import re
from collections.abc import Sequence
from enum import StrEnum

from IPython.core.inputtransformer2 import TransformerManager

# Name of an exercise and its `Result`, in the HTML that a check shows. All editors keep HTML, unlike other media types.
MARK = '<div data-srlab-check="{} {}">'

CLAIM = "application/vnd.srlab.claim+json"  # media type of a checked claim, from which `make seeds` makes its table
HEADLINE = "application/vnd.srlab.headline+json"  # media type under which `make labs` finds a lab's main figure


class Result(StrEnum):
    """Result of an exercise in a notebook."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not attempted"
    NOT_RUN = "not run"
    MISSING = "missing"  # the lab has the exercise, and the notebook does not


def calls_of(function: str, parameters: Sequence[str], source: str) -> list[dict[str, str]]:
    """Return the texts that each call of a function in a cell passes, by parameter; nothing is executed.

    Parameters
    ----------
    function
        Name of a function of `srlab.course`.
    parameters
        Names of its positional parameters.
    source
        A cell, perhaps with magics.

    Returns
    -------
    list of dict
        From the first to the last call; empty if the cell is not Python.
    """
    source = re.sub(r"\A\s*%%(time|capture).*\n", "", source)
    try:
        tree = ast.parse(TransformerManager().transform_cell(source)) if function in source else ast.Module([])
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last three only from an attacker
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) == function]
    passed = []
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        nodes = dict(zip(parameters, call.args, strict=False)) | {word.arg: word.value for word in call.keywords}
        texts = {name: node.value for name, node in nodes.items() if isinstance(node, ast.Constant)}
        passed.append({name: text for name, text in texts.items() if isinstance(text, str)})
    return passed


def checks_in(source: str) -> list[str]:
    """Return the names of the exercises that a cell checks, in order."""
    return [passed["name"] for passed in calls_of("check", ["name"], source) if "name" in passed]
