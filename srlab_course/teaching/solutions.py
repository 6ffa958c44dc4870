"""``srlab solutions``: write a copy of a lab with all exercises solved."""

import argparse
import ast
import inspect

from srlab import paths
from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import Answer
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.editable import NotebookNode, read_notebook, to_text
from srlab_course.notebook_files.finding import find_lab
from srlab_course.notebook_files.marks import answers_in


def run(options: argparse.Namespace) -> int:
    """Write the notebook and print its path."""
    lab = find_lab(options.lab)
    out = paths.runs_home() / "solutions" / lab.name  # not in git, and not in a folder that students open
    refuse_existing(out, options.force)
    notebook = read_notebook(lab)
    all_checks, count = len(answers_in(notebook)), fill_in(notebook)
    if not count:
        raise SrlabError(f"{lab.stem} has no untouched exercise. Download the lab again from the repository.")
    write_atomic(out, to_text(notebook).encode(), replace=options.force)
    print(f"{seen_from_here(out)}: {lab.stem} with {count} of {all_checks} exercises solved")
    return 0


def fill_in(notebook: NotebookNode) -> int:
    """Solve the exercises of a notebook that are still stubs, drop their outputs, and return the number solved."""
    exercises = open_exercises(notebook)
    for stub, check, solution in exercises:
        stub.source = solution
        stub.outputs = check.outputs = []
        stub.execution_count = check.execution_count = None
    return len(exercises)


def open_exercises(notebook: NotebookNode) -> list[tuple[NotebookNode, NotebookNode, str]]:
    """Return stub cell, check cell and solution source of each exercise that is still a stub."""
    answers = answers_in(notebook)
    stubs = {name: cells for name, cells in answers.items() if cells[0] and "return course.TODO" in cells[0].source}
    return [(stub, check, solve(stub.source, find(name).reference)) for name, (stub, check) in stubs.items()]


def solve(stub: str, answer: Answer) -> str:
    """Replace the body of a stub with an answer, and return the source with the imports it needs.

    The stub is a function or a class; its docstring is kept. The answer has the same arguments, is at the top level of
    its module, and begins with a docstring, which is dropped.
    """
    source = inspect.getsource(inspect.getmodule(answer))
    module = ast.parse(source)
    try:
        (head,) = ast.parse(stub).body
        if head.body[0].lineno == head.lineno:
            raise ValueError("the body is on the first line")
    except (SyntaxError, ValueError, AttributeError) as error:
        raise SrlabError(
            f"The cell of {answer.__name__} was changed. Download the lab again from the repository."
        ) from error
    (solved,) = (node for node in module.body if getattr(node, "name", None) == answer.__name__)
    kept = head.body[0].end_lineno if ast.get_docstring(head) is not None else head.body[0].lineno - 1
    above = stub.splitlines()[:kept]
    below = source.splitlines()[solved.body[0].end_lineno : solved.end_lineno]
    used = {node.id for part in solved.body for node in ast.walk(part) if isinstance(node, ast.Name)}
    imports = _imports(module, used)
    return "\n".join([*imports, "", "", *above, *below] if imports else above + below)


def _imports(module: ast.Module, names: set[str]) -> list[str]:
    """Return a module's imports of some names, except answers of other exercises, which earlier cells define."""
    found = []
    for node in module.body:
        of_another = ast.unparse(node).startswith("from srlab_course.exercises.")
        if isinstance(node, ast.Import | ast.ImportFrom) and not of_another:
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in names]
            found += [ast.unparse(node)] if node.names else []
    return found
