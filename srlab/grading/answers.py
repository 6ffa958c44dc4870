"""An answer out of a notebook: the cells that it needs are executed, and no others, so no lab is trained."""

import ast
import re
import symtable
from typing import TYPE_CHECKING, Any

from srlab.exercises import Answer, Wrong, find, names
from srlab.exercises.saved import checked, checks_in, parse_cell
from srlab.lab.notebooks import tags_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

ONLY_LOOK = {"print", "display", "srlab", "matplotlib", "IPython"}  # functions and modules that change nothing given


def find_answer(notebook: "NotebookNode", exercise: str) -> Answer:
    """Execute what an answer needs of the cells down to its check, statement by statement, and return it.

    A statement is needed if it makes or changes what a name stands for that the answer uses, or another needed
    statement does. Where the notebook checks another exercise, that one's reference takes its place: a wrong answer
    costs its own exercise alone.

    Raises
    ------
    Wrong
        It isn't there; the message says which statement or cell failed, if one did.
    """
    own = find(exercise).reference.__name__
    statements, answer, failed = _read(notebook, exercise, own)
    bound = [_bound(one) for one in statements]
    modules = _modules(statements)
    made = [names | _changed(one, modules) for names, one in zip(bound, statements, strict=True)]
    needed, chosen = _used(answer) | {"*"}, set()
    while new := {i for i, names in enumerate(made) if i not in chosen and names & needed}:
        chosen |= new
        needed |= set().union(*(_used(statements[i]) for i in new))
        if "globals" in needed:  # of `srlab.setup("03_srgan", globals())`
            needed |= {"recipe"} | _parameters(notebook)
    scope: dict[str, Any] = {_reference(name): find(name).reference for name in names()}
    scope |= {"__name__": "__main__", "display": lambda *_, **__: None}
    for place in sorted(chosen):
        try:
            _execute(statements[place], scope)
        except Exception as error:
            failed.append(f"{type(error).__name__}: {error}")
        if "recipe" in bound[place]:
            scope["recipe"] = "smoke"  # no exercise needs a network that was trained for longer
    try:
        return _execute(answer, scope)
    except NameError:
        raise Wrong(f"There is no {own}. {' '.join(failed[:1])}".strip()) from None


def _read(notebook: "NotebookNode", exercise: str, own: str) -> tuple[list[ast.stmt], ast.Expression, list[str]]:
    """All statements down to the last check of an exercise, what is given to that, and which cells are no Python."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    last = max((i for i, source in enumerate(cells) if exercise in checks_in(source)), default=len(cells) - 1)
    checks = _Checks(exercise, ast.Name(own, ast.Load()))
    statements: list[ast.stmt] = []
    failed = []
    for source in cells[: last + 1]:
        try:
            tree = parse_cell(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if re.search(rf"\b{own}\b", source):
                failed.append(f"{type(error).__name__}: {error}")
            continue
        statements += checks.visit(tree).body
    return statements, ast.fix_missing_locations(ast.Expression(checks.answer)), failed


class _Checks(ast.NodeTransformer):
    """Puts what it is given in the place of each check; of other exercises, the name of their reference."""

    def __init__(self, exercise: str, answer: ast.expr) -> None:
        self.exercise, self.answer = exercise, answer

    def visit_Call(self, call: ast.Call) -> ast.expr:
        self.generic_visit(call)
        found = checked(call)
        given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "answer")]
        if not found or not given:
            return call
        if found == self.exercise:
            self.answer = given[0]
        elif found in names():
            return ast.copy_location(ast.Name(_reference(found), ast.Load()), call)
        return given[0]


def _reference(exercise: str) -> str:
    """What a reference is called among the names of a notebook."""
    return f"_reference_of_{exercise.replace('.', '_')}"


def _execute(node: ast.stmt | ast.Expression, scope: dict[str, Any]) -> Any:
    if isinstance(node, ast.Expression):
        return eval(compile(node, "<answer>", "eval"), scope)  # noqa: S307 - what isolation.py is for
    return exec(compile(ast.Module([node], []), "<answer>", "exec"), scope)  # noqa: S102


def _table(node: ast.AST) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(node), "<answer>", "exec")


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement makes at the top level; ``*`` of ``from ... import *``."""
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return {"*"}
    symbols = _table(node).get_symbols()
    return {one.get_name() for one in symbols if one.is_assigned() or one.is_imported() or one.is_namespace()}


def _changed(node: ast.stmt, modules: dict[str, str]) -> set[str]:
    """Names whose value a statement changes, as far as one can see, and doesn't only read.

    It assigns to an entry or an attribute, or it calls a method of the value or a function with it, and drops the
    result. What is given to a method of something else stays as it was: so ``trainer.fit(step, sampler, 100)`` isn't
    executed for a step. Nor is what shows a value.
    """
    found, inside = set(), [node]
    while inside:
        one = inside.pop()
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue  # what is in it runs when somebody calls it
        inside += ast.iter_child_nodes(one)
        if isinstance(one, ast.Subscript | ast.Attribute) and not isinstance(one.ctx, ast.Load):
            found.add(_owner(one))
        elif isinstance(one, ast.Expr) and isinstance(one.value, ast.Call):
            call, owner = one.value, _owner(one.value.func)
            if owner not in modules and isinstance(call.func, ast.Attribute):
                found.add(owner)
            elif modules.get(owner, owner) not in ONLY_LOOK:
                found |= {_owner(given) for given in (*call.args, *(one.value for one in call.keywords))}
    return found


def _owner(node: ast.AST) -> str:
    """``a`` of ``a``, ``a.b`` and ``a[0].b``; empty of all else."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return getattr(node, "id", "")


def _modules(statements: list[ast.stmt]) -> dict[str, str]:
    """What is imported -> from which package."""
    found = {}
    for node in (node for one in statements for node in ast.walk(one)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = getattr(node, "module", None) or alias.name
                found[alias.asname or alias.name.partition(".")[0]] = name.partition(".")[0]
    return found


def _used(node: ast.AST) -> set[str]:
    """Names that a statement, or a function in it, looks up at the top level."""
    tables, found = [_table(node)], set()
    while tables:
        table = tables.pop()
        top = table.get_type() == "module"
        found |= {one.get_name() for one in table.get_symbols() if one.is_global() or (top and one.is_referenced())}
        tables += table.get_children()
    return found


def _parameters(notebook: "NotebookNode") -> set[str]:
    cells = [cell.source for cell in notebook.cells if "parameters" in tags_of(cell)]
    return {name for source in cells for name in re.findall(r"^(\w+) =", source, re.MULTILINE)}
