"""Notes of ``srlab grade`` on what a teacher should look at: saved results that do not fit, and equal answers.

A note is not a verdict: it does not change the points. Nothing is executed.
"""

import ast
import functools
import re
from collections.abc import Iterator, Mapping

from srlab_course.notebooks.finding import Saved
from srlab_course.notebooks.marks import ACCEPTED, Result, checks_in, marks_in, parse_cell
from srlab_course.teaching.exercise_list import entries

# Nodes of a syntax tree, about eight lines. 49 of the 76 reference answers are smaller: a formula, or calls in the only
# sensible order, which students also write alike if they work alone.
LARGE = 100
PRINTED = re.compile(r"^(\w+\.\w+) \(\w+\)\n(.*?)(?=^\w+\.\w+ \(\w+\)\n|\Z)", re.MULTILINE | re.DOTALL)


def odd_results(
    notebook: Saved, results: Mapping[str, Result], answers: Mapping[str, ast.stmt | None]
) -> Iterator[str]:
    """Yield a sentence for each saved result that its answer or the text printed next to it contradicts."""
    for name in (name for name, result in results.items() if result == Result.CORRECT):
        if (answer := answers.get(name)) is None:
            yield f"{name} is correct, but no cell defines {_short(name)}."
        elif is_stub(answer):
            yield f"{name} is correct, but its answer is missing or still contains course.TODO."
    for cell in notebook.cells:
        printed = dict(PRINTED.findall("".join(output.get("text", "") for output in cell.get("outputs", []))))
        for name, result in marks_in(cell).items():
            if name in printed and (ACCEPTED in printed[name]) != (result == Result.CORRECT):
                yield f"{name} is saved as {result}, but the text above this result says something else."


def answers_in(notebook: Saved) -> dict[str, ast.stmt | None]:
    """Return the definition of the answer to each exercise: the last one above its check, or else in the notebook."""
    defined: dict[str, ast.stmt] = {}
    answers: dict[str, ast.stmt | None] = {}
    for cell in notebook.cells:
        for statement in parse_cell(cell.source).body if cell.cell_type == "code" else ():
            if checked := checks_in(ast.unparse(statement)):
                answers |= {name: defined.get(_short(name)) for name in checked}
            else:
                defined |= dict.fromkeys(_names_of(statement), statement)
    return {name: answer or defined.get(_short(name)) for name, answer in answers.items()}


def _short(exercise: str) -> str:
    return exercise.partition(".")[2]


def _names_of(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines, apart from those inside a function or class."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def is_stub(answer: ast.stmt) -> bool:
    """Return whether an answer contains ``course.TODO``, or nothing except a docstring."""
    todo = any("TODO" in (getattr(node, "attr", ""), getattr(node, "id", "")) for node in ast.walk(answer))
    return todo or not [part for part in getattr(answer, "body", [answer]) if not _is_empty(part)]


def _is_empty(statement: ast.stmt) -> bool:
    """Return whether a statement does nothing: ``pass``, a docstring or an ellipsis."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def codes_of(answers: Mapping[str, ast.stmt | None]) -> dict[str, str]:
    """Return the code of answers as texts that are equal if only comments and names differ.

    Stubs, small answers, and the solution that `course.check` shows are left out, because students have them in common
    for good reasons.
    """
    codes = {name: _renamed(answer) for name, answer in answers.items() if answer and not is_stub(answer)}
    large = {name: ast.dump(code) for name, code in codes.items() if sum(1 for _ in ast.walk(code)) >= LARGE}
    return {name: code for name, code in large.items() if code != _solution(name)}


@functools.cache
def _solution(exercise: str) -> str:
    return ast.dump(_renamed(entries()[exercise].reference))


def _renamed(answer: ast.stmt) -> ast.Module:
    """Return an answer without docstrings and annotations, and with its arguments and variables numbered."""
    code = ast.parse(ast.unparse(answer))
    arguments = {node.arg for node in ast.walk(code) if isinstance(node, ast.arg)}
    stored = {node.id for node in ast.walk(code) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    numbers: dict[str, str] = {}
    for node in ast.walk(code):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body = [part for part in node.body if not _is_empty(part)]
            node.returns = None
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = numbers.setdefault(node.arg, f"_{len(numbers)}"), None
        elif isinstance(node, ast.Name) and node.id in arguments | stored:
            node.id = numbers.setdefault(node.id, f"_{len(numbers)}")
    return code
