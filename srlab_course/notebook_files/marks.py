"""Results of checks in a saved notebook, and the cells that call a check."""

import ast
import html
import re
import textwrap
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

# Exercise, `Result` and the names of the hints that have appeared, in the HTML output of a check. All editors keep
# HTML, unlike other media types.
MARK = '<div data-srlab-check="{} {}" data-srlab-hints="{}">'
ACCEPTED = "The lab will use your answer."  # printed above the mark of a correct answer, and only there

CLAIM = "application/vnd.srlab.claim+json"  # media type of a checked claim, for `make seeds`
METRIC = "application/vnd.srlab.metric+json"  # media type of a lab's main metric, for `make labs`

LONGEST_CELL = 100_000  # characters
# A line with a magic, a shell command or a question mark, or the right side of an assignment from one of these.
MAGIC = re.compile(r"(^[ \t]*|(?<==)[ \t]*)(?:(?:[%?]{1,2}\w|!(?!=))(?:.*\\\n)*.*|[\w.]+\?+)$", re.MULTILINE)


class Result(StrEnum):
    """The result of an exercise in a notebook."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not attempted"
    NOT_RUN = "not run"
    MISSING = "missing"  # the exercise is not in the notebook


def parse_cell(source: str) -> ast.Module:
    """Return the syntax tree of a cell without executing it; it may contain magics.

    It is empty if the cell is not Python, or is too long. The time is linear in the length, unlike with IPython's own
    transformation, so no submission stops the grading of a class.
    """
    source = re.sub(r"\A\s*%%(time|capture).*\n", "", source)
    if len(source) > LONGEST_CELL or re.match(r"\s*%%", source):
        return ast.Module([])
    for text in (source, MAGIC.sub(r"\1None", source)):
        try:
            return ast.parse(textwrap.dedent(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last three only in malicious files
            continue
    return ast.Module([])


def calls_of(function: str, parameters: Sequence[str], source: str) -> list[dict[str, str]]:
    """Return the string arguments of each call of a function in a cell, by parameter, without executing the cell.

    `parameters` are the names of the positional parameters.
    """
    tree = parse_cell(source) if function in source else ast.Module([])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) == function]
    passed = []
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        nodes = dict(zip(parameters, call.args, strict=False)) | {word.arg: word.value for word in call.keywords}
        texts = {name: node.value for name, node in nodes.items() if isinstance(node, ast.Constant)}
        passed.append({name: text for name, text in texts.items() if isinstance(text, str)})
    return passed


# Notebooks of earlier editions have no hints.
MARKS = re.compile(rf'<div data-srlab-check="(\w+\.\w+) ({"|".join(Result)})"(?: data-srlab-hints="([^"]*)")?>')


def marks_in(cell: Mapping[str, Any]) -> dict[str, Result]:
    """Return the exercises and results that checks have left in the outputs of a cell; the last one counts."""
    return {name: Result(result) for name, result, _ in MARKS.findall(_pages(cell))}


def hints_in(cell: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the exercises and the names of their hints that have appeared, from the outputs of a cell."""
    return {name: html.unescape(hints).split("; ") for name, _, hints in MARKS.findall(_pages(cell)) if hints}


def _pages(cell: Mapping[str, Any]) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.get("outputs", []))


def checks_in(source: str) -> list[str]:
    """Return the names of the exercises that a cell checks."""
    return [passed["name"] for passed in calls_of("check", ["name"], source) if "name" in passed]


def answers_in(notebook: Any) -> dict[str, tuple[Any, Any]]:
    """Return each checked exercise with the last cell above its check that defines the answer, or None, and the check.

    `notebook` has ``cells``; nothing is executed.
    """
    defining, found = {}, {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            defining |= dict.fromkeys(re.findall(r"^(?:def|class) (\w+)", cell.source, re.MULTILINE), cell)
            found |= {name: (defining.get(name.partition(".")[2]), cell) for name in checks_in(cell.source)}
    return found
