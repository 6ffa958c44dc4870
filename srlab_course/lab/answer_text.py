"""The text of answers: the newest definitions of some names in a notebook's cells, and of all that they use.

Two texts are the same if only comments, docstrings, layout and the order of definitions differ. Both are parsed by the
Python that compares them, so another version of Python does not change the outcome.
"""

import ast
import copy
import functools
import symtable
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

COURSE = "course"  # what a statement computes with this is not code: the lab, an answer after its check, a guess


@dataclass(frozen=True)
class _Part:
    """A statement at the top level of a cell: the names that it defines, computes with at once, and uses at all."""

    text: str
    defines: frozenset[str]
    computes_with: frozenset[str]
    uses: frozenset[str]
    changes: frozenset[str] = field(default_factory=frozenset)  # defined before, such as x in x.y = 1 or in x += 1

    @property
    def is_import(self) -> bool:
        return self.text.startswith(("import ", "from "))


def code_of(names: Iterable[str], cells: Iterable[str]) -> str:
    """Return the newest definitions of `names`, and of all that they use, as the text of a module.

    Functions and classes are taken as they are written. Other values count if they are made only of such code, imports
    and constants; a network or a photo that comes from the lab's settings does not.

    Parameters
    ----------
    names
        Names of functions and classes. A name that no cell defines is left out.
    cells
        Source of the cells, in the order in which they were run. A cell that is not valid Python is left out.
    """
    found: dict[str, list[_Part]] = defaultdict(list)
    order: dict[_Part, int] = {}
    number = 0
    for cell in cells:
        for part in _parts_of(cell):
            order[part] = number = number + 1  # of equal ones, the last counts
            for name in part.defines - part.changes:
                if COURSE not in part.computes_with or name not in found:  # a check returns an answer defined above
                    found[name] = [part]
            for name in part.changes:
                found[name].append(part)
    kept, seen, todo = [], set(), list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            parts = [part for part in found.get(name, ()) if _is_code(part, found, frozenset())]
            kept += parts
            todo += [used for part in parts for used in part.uses]
    kept = sorted(dict.fromkeys(kept), key=order.__getitem__)
    imports = sorted(part.text for part in kept if part.is_import)
    others = [part.text for part in kept if not part.is_import]
    return "\n\n\n".join(["\n".join(imports)] * bool(imports) + others) + "\n" * bool(kept)


def changed_in(before: str, after: str) -> list[str]:
    """Return the names whose definition in one text differs from that in the other, or is in only one of them."""
    old, new = _meanings(before), _meanings(after)
    return sorted(name for name in old | new if old.get(name) != new.get(name))


def defined_in(text: str) -> set[str]:
    """Return the names that a text defines, without those that it imports."""
    return {name for part in _parts_of(text) if not part.is_import for name in part.defines}


def imported_in(text: str) -> set[str]:
    """Return the names that a text imports at its top level."""
    return {name for part in _parts_of(text) if part.is_import for name in part.defines}


def _is_code(part: _Part, found: Mapping[str, list[_Part]], above: frozenset[str]) -> bool:
    """Return whether a part is made only of code; `above` are the names that are being looked at."""
    if COURSE in part.computes_with:
        return False
    names = part.computes_with - part.defines - above
    return all(_is_code(one, found, above | names | part.defines) for name in names for one in found.get(name, ()))


@functools.lru_cache(maxsize=1000)  # a lab reads its cells for each of its runs
def _parts_of(cell: str) -> tuple[_Part, ...]:
    """Return the statements of a cell that define something; IPython's commands define nothing."""
    parts: list[_Part] = []
    if cell.lstrip().startswith("%%"):  # such as %%time, above the code
        cell = cell.lstrip().partition("\n")[2]
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        text = TransformerManager().transform_cell(cell)
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                parts += _imports_in(statement)
            elif not isinstance(statement, ast.Expr):
                parts.append(_part_of(statement, text))
    return tuple(parts)


def _imports_in(statement: ast.Import | ast.ImportFrom) -> Iterator[_Part]:
    """Yield an import of each name, so that another name in the same line changes nothing."""
    for alias in statement.names:
        single = copy.copy(statement)
        single.names = [alias]
        name = (alias.asname or alias.name).partition(".")[0]
        yield _Part(ast.unparse(single), frozenset([name]), frozenset(), frozenset())


def _part_of(statement: ast.stmt, text: str) -> _Part:
    if decorators := getattr(statement, "decorator_list", None):  # a definition begins below its decorators
        statement = copy.copy(statement)
        statement.lineno, statement.col_offset = decorators[0].lineno, 0
    source = ast.get_source_segment(text, statement) or ""
    table = symtable.symtable(source, "<cell>", "exec")
    defines = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
    reads = {one.get_name() for one in table.get_symbols() if one.is_referenced()}
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    changes = {_root(target) for target in targets if isinstance(target, ast.Attribute | ast.Subscript)} - {""}
    definition = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if not definition:
        changes |= defines & reads
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        changes.add(statement.target.id)
    computes = frozenset() if definition else frozenset(reads)
    return _Part(source, frozenset(defines | changes), computes, frozenset(_globals_of(table)), frozenset(changes))


def _root(target: ast.expr) -> str:
    """Return x for the target x.y[0]."""
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    """Return the global names that a statement reads, also in the functions in it."""
    outer = table.get_type() == "module"
    own = {one.get_name() for one in table.get_symbols() if one.is_referenced() and (outer or one.is_global())}
    return own.union(*(_globals_of(inner) for inner in table.get_children()))


def _meanings(text: str) -> dict[str, list[str]]:
    """Return what a text defines, name -> its statements without comments, docstrings and layout."""
    found: dict[str, list[str]] = defaultdict(list)
    for part in _parts_of(text):
        for name in part.defines:
            found[name].append(ast.dump(_bare(ast.parse(part.text))))
    return found


def _bare(tree: ast.AST) -> ast.AST:
    """Remove docstrings."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree
