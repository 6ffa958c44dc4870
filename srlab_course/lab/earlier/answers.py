"""The student's answers to an earlier lab, from the notebook in which she wrote them."""

import ast
import contextlib
import linecache
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import TODO, Answer, IncorrectAnswer, NotAttempted
from srlab_course.feedback.fallback import make_fallback
from srlab_course.feedback.judging import judge
from srlab_course.layout import in_lines
from srlab_course.notebook_files.finding import own_notebook, without_number

DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def from_earlier_lab(lab: str, *names: str) -> list[Answer]:
    """Return the student's answers to exercises of an earlier lab, from its notebook in the course folder.

    The notebook has to be saved. Only its imports, functions, classes and constants are run. Each answer is checked
    again; in place of one that is missing or incorrect, return the fallback that the lab itself would use.

    Parameters
    ----------
    lab
        Name of the lab, such as ``"03_srgan"``.
    names
        Full names of exercises, such as ``"srgan.train_step"``.
    """
    written = _run_definitions(lab)
    return [_checked(lab, name, getattr(written, name.partition(".")[2], TODO)) for name in names]


def _checked(lab: str, name: str, answer: Any) -> Answer:
    """Return an answer if it passes its check, else a fallback."""
    exercise, passed = find(name), []
    try:
        passed.extend(judge(exercise, answer))
    except IncorrectAnswer as wrong:
        if not isinstance(wrong, NotAttempted):
            print(in_lines("", f"Your {name} of lab {lab[:2]} is not correct, so the course's is used here: {wrong}"))
        return make_fallback(exercise, passed, wrong)
    return answer


def _run_definitions(lab: str) -> ModuleType:
    """Run the imports, functions, classes and constants of a lab's notebook in a module, and return the module."""
    module = ModuleType(f"lab_{lab}")
    notebook = own_notebook(without_number(Path(lab)))
    for number, cell in enumerate(notebook.cells if notebook else ()):
        file = f"<cell {number + 1} of {lab}>"
        linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(keepends=True), file)
        for statement in _definitions_in(cell.source) if cell.cell_type == "code" else ():
            with contextlib.suppress(Exception):  # it needs a variable that the notebook computes
                exec(compile(ast.Module([statement], []), file, "exec"), vars(module))  # noqa: S102 - her own functions
    return module


def _definitions_in(source: str) -> Iterator[ast.stmt]:
    """Yield imports, functions, classes, and assignments that call nothing; none if a cell is not valid Python."""
    with contextlib.suppress(SyntaxError):
        for one in ast.parse(source).body:
            names = isinstance(one, ast.Assign) and all(isinstance(target, ast.Name) for target in one.targets)
            if isinstance(one, DEFINING) or (names and not any(isinstance(part, ast.Call) for part in ast.walk(one))):
                yield one
