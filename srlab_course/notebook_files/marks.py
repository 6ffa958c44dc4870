"""Results of checks in a saved notebook, and the cells that call a check."""

import ast
import functools
import html
import itertools
import re
import textwrap
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

# Exercise, `Result` and the names of the hints that have appeared, in the HTML output of a check. All editors keep
# HTML, unlike other media types.
MARK = '<div data-srlab-check="{} {}" data-srlab-hints="{}">'
ACCEPTED = "The lab will use your answer."  # printed above the mark of a correct answer, and only there

CLAIM = "application/vnd.srlab.claim+json"  # media type of a checked claim, for `make seeds`
METRIC = "application/vnd.srlab.metric+json"  # media type of a lab's main metric, for `make labs`

LONGEST_CELL = 40_000  # characters; the course's longest code cell has 4,300
MOST_COMBINING = 30  # combining characters in a row, as in Unicode's Stream-Safe Text Format
PARAMETERS = {"check": ["name"], "quiz": ["lab", "answers"]}  # functions that a lab calls, with these parameters
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

    It is empty if the cell is not Python, is too long, or has too many combining characters in a row. The time is
    linear in the length, unlike with IPython's own transformation, so no submission stops the grading of a class.
    """
    source = re.sub(r"\A\s*%%(time|capture).*\n", "", source)
    if len(source) > LONGEST_CELL or re.match(r"\s*%%", source) or _most_combining(source) > MOST_COMBINING:
        return ast.Module([])
    for text in (source, MAGIC.sub(r"\1None", source)):
        try:
            return ast.parse(textwrap.dedent(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last three only in malicious files
            continue
    return ast.Module([])


def _most_combining(text: str) -> int:
    """Return the length of the longest run of combining characters, which Python sorts in a name, in quadratic time."""
    combining = (unicodedata.combining(unicodedata.normalize("NFKD", sign)[0]) > 0 for sign in text)
    return max((sum(run) for _, run in itertools.groupby(combining)), default=0)


def calls_of(function: str, source: str) -> list[dict[str, str]]:
    """Return the string arguments of each call of a function of `PARAMETERS` in a cell, by parameter.

    The cell is not executed.
    """
    return [texts for name, texts in _calls_in(source) if name == function] if function in source else []


@functools.cache  # grading looks at a cell several times, and parsing is slow
def _calls_in(source: str) -> list[tuple[str, dict[str, str]]]:
    """Return each call of the functions of `PARAMETERS` in a cell with its string arguments, in order."""
    calls = [node for node in ast.walk(parse_cell(source)) if isinstance(node, ast.Call)]
    found = []
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        function = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if function in PARAMETERS:
            nodes = dict(zip(PARAMETERS[function], call.args, strict=False))
            nodes |= {word.arg: word.value for word in call.keywords if word.arg in PARAMETERS[function]}
            texts = {name: node.value for name, node in nodes.items() if isinstance(node, ast.Constant)}
            found.append((function, {name: text for name, text in texts.items() if isinstance(text, str)}))
    return found


# Notebooks of earlier editions have no hints.
MARKS = re.compile(rf'<div data-srlab-check="(\w+\.\w+) ({"|".join(Result)})"(?: data-srlab-hints="([^"]*)")?>')


class Mark(NamedTuple):
    """What a check has left in the output of its cell: the exercise, its result, and the names of its hints so far."""

    exercise: str
    result: Result
    hints: list[str]


def marks_in(cell: Mapping[str, Any]) -> list[Mark]:
    """Return all marks in the outputs of a cell, in order."""
    pages = "".join(output.get("data", {}).get("text/html", "") for output in cell.get("outputs", []))
    return [
        Mark(name, Result(result), html.unescape(hints).split("; ") if hints else [])
        for name, result, hints in MARKS.findall(pages)
    ]


def checks_in(source: str) -> list[str]:
    """Return the names of the exercises that a cell checks."""
    return [passed["name"] for passed in calls_of("check", source) if "name" in passed]


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
