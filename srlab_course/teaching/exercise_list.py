"""Names, levels and points of all exercises, read from their source, because importing the exercises imports torch."""

import ast
import functools
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "exercises"


class Entry(NamedTuple):
    """An exercise's level, number of points, and the code of its reference; see `feedback.exercise.Exercise`."""

    level: str
    points: int
    reference: ast.stmt


@functools.cache
def entries() -> dict[str, Entry]:
    """Return full name -> entry of all exercises, ordered by lab."""
    found = {}
    for file in sorted(FOLDER.glob("*/*.py")):
        code = ast.parse(file.read_text(encoding="utf-8")).body
        defined = {node.name: node for node in code if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for node in code:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXERCISE":
                settings = {keyword.arg: keyword.value for keyword in node.value.keywords}
                level, points = (settings[name].value for name in ("level", "points"))
                name = node.value.args[0].id
                found[f"{file.parent.name}.{name}"] = Entry(level, points, defined[name])
    return found
