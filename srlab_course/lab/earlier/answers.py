"""The student's answers to an earlier lab, from the notebook in which she wrote them."""

import ast
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
from srlab_course.notebooks.finding import own_notebook, without_number

DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
PLAIN = (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.Load)


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
    written = _definitions(lab)
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


def _definitions(lab: str) -> ModuleType:
    """Run the imports, functions, classes and constants of a lab's notebook in a module, and return the module."""
    module = ModuleType(f"lab_{lab}")
    notebook = own_notebook(without_number(Path(lab)))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"] if notebook else []
    for number, cell in enumerate(cells):
        file = f"<code cell {number + 1} of {lab}>"
        linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(keepends=True), file)
        for statement in _statements(cell.source):
            try:
                code = compile(ast.Module([statement], []), file, "exec")
                exec(code, vars(module))  # noqa: S102 - the student's own functions
            except Exception:  # it needs a variable that the notebook computes
                continue
    return module


def _statements(source: str) -> Iterator[ast.stmt]:
    """Yield the statements of a cell that only define something; none if it is not valid Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return
    for one in body:
        constant = isinstance(one, ast.Assign) and all(isinstance(part, PLAIN) for part in ast.walk(one.value))
        if constant or isinstance(one, DEFINING):
            yield one
