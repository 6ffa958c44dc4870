"""Results of checks in a saved notebook, and the cells that call a check."""

import ast
import re
from collections.abc import Sequence
from enum import StrEnum

from IPython.core.inputtransformer2 import TransformerManager

# Exercise and `Result` in the HTML output of a check. All editors keep HTML, unlike other media types.
MARK = '<div data-srlab-check="{} {}">'

CLAIM = "application/vnd.srlab.claim+json"  # media type of a checked claim, for `make seeds`
METRIC = "application/vnd.srlab.metric+json"  # media type of a lab's main metric, for `make labs`


class Result(StrEnum):
    """The result of an exercise in a notebook."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not attempted"
    NOT_RUN = "not run"
    MISSING = "missing"  # the exercise is not in the notebook


def calls_of(function: str, parameters: Sequence[str], source: str) -> list[dict[str, str]]:
    """Return the string arguments of each call of a function in a cell, by parameter, without executing the cell.

    `parameters` are the names of the positional parameters. The cell may contain magics. A cell that is not Python has
    no calls.
    """
    source = re.sub(r"\A\s*%%(time|capture).*\n", "", source)
    try:
        tree = ast.parse(TransformerManager().transform_cell(source)) if function in source else ast.Module([])
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last three only in malicious files
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
    """Return the names of the exercises that a cell checks."""
    return [passed["name"] for passed in calls_of("check", ["name"], source) if "name" in passed]
