"""Read and check a lab's parameters and overrides."""

import ast
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pkgutil import resolve_name
from typing import Any

from srlab.errors import SrlabError
from srlab_course.lab.recipes import Book

INJECTED = "# Parameters\n"  # papermill begins the cell with the options of its command with this line
TABLE = re.compile(r"(srlab|srlab_course)(\.[A-Za-z]\w*)+")  # public, so not a program such as a __main__
KINDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a dict, such as {'batch': 4}",
}


def read_parameters(book: Book, namespace: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a lab's parameters (without ``overrides``) and its overrides.

    Parameters are variables of the notebook. Every other setting is in ``overrides``, or in the newest cell that
    papermill injected, which IPython keeps in ``In``. Overrides are in the order of the recipe file, so that their
    order does not change the name of the run.
    """
    defaults, entries = book.parameters, [name for name in book.help if name not in book.parameters]
    if missing := [name for name in defaults if name not in namespace]:
        raise SrlabError(
            f"Parameter {missing[0]} is not defined. Run the lab's parameter cell first, and leave the line "
            f"{missing[0]} = {defaults[missing[0]]!r} in it."
        )
    values = {name: namespace[name] for name in defaults}
    overrides = from_text(values.pop("overrides"))
    check_parameters({"overrides": {}}, {"overrides": overrides})
    if twice := [name for name in overrides if name in defaults]:
        raise SrlabError(
            f"{twice[0]} is a notebook parameter, not an override. Write {twice[0]} = {overrides[twice[0]]!r}."
        )
    injected = injected_settings(namespace.get("In", []))
    overrides = overrides | {name: value for name, value in injected.items() if name not in defaults}
    overrides = {name: from_text(value) for name, value in overrides.items()}
    for name in entries:
        if isinstance(value := from_text(namespace.get(name)), tuple(KINDS)) and value != overrides.get(name):
            print(f"Your variable {name} does not change the recipe. Use overrides = {{{name!r}: {value!r}}}.")
    check_parameters(book.recipes["laptop"].values | defaults, values | overrides, book.choices, book.minimum)
    return values, {name: overrides[name] for name in entries if name in overrides}


def injected_settings(inputs: Sequence[str]) -> dict[str, Any]:
    """Return what the newest cell injected by papermill assigns: literals, or the text of other code."""
    cell = next((cell for cell in reversed(inputs) if cell.startswith(INJECTED)), "")
    lines = [line for line in ast.parse(cell).body if isinstance(line, ast.Assign)]
    return {ast.unparse(line.targets[0]): from_text(ast.unparse(line.value)) for line in lines}


def check_parameters(
    defaults: Mapping[str, Any],
    values: Mapping[str, Any],
    choices: Mapping[str, list[Any] | str] | None = None,
    minimum: Mapping[str, float] | None = None,
) -> None:
    """Reject unknown names, values of another type than the default, and invalid values.

    `choices` are the valid values and `minimum` the smallest ones; see `srlab_course.lab.recipes`.
    """
    for name, value in values.items():
        if name not in defaults:
            _reject_unknown(name, defaults)
        default = defaults[name]
        kind = (int, float) if isinstance(default, float) else type(default)
        must = ""
        if not isinstance(value, kind) or (isinstance(value, bool) and not isinstance(default, bool)):
            hint = ". In papermill, pass text that looks like a number with -r instead of -p" if kind is str else ""
            must = f"be {KINDS[type(default)]}, like its default {default!r}{hint}"
        elif isinstance(value, list) and not (
            all(isinstance(one, int | float) and math.isfinite(one) for one in value)
            and len(value) == len(default or value)
        ):
            must = f"be a list of {len(default) or ''} numbers, like its default {default}"
        elif isinstance(value, float) and not math.isfinite(value):
            must = "be a finite number"
        elif isinstance(value, int) and value.bit_length() > 63:
            must = "be below 2**63 in size"  # torch's seeds, for example
        elif minimum and name in minimum and value < minimum[name]:
            must = f"be at least {minimum[name]}"
        elif choices and name in choices:
            known = choices[name]
            known = _table(known, name) if isinstance(known, str) else list(known)
            must = "" if value in known else f"be one of {', '.join(map(str, known))}"
        if must:
            raise SrlabError(f"The parameter {name}={value!r} must {must}.")


def _table(path: str, name: str) -> list[Any]:
    """Return the keys of a table in srlab; import nothing else, because importing a module executes it."""
    with suppress(ImportError, AttributeError, TypeError):
        if TABLE.fullmatch(path):
            return list(resolve_name(path))
    raise SrlabError(f"The recipe's choices of {name} are '{path}'. Use a list, or a table of srlab.")


def _reject_unknown(name: Any, known: Iterable[str]) -> None:
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    listed = "" if near else f" This lab has {', '.join(known)}."
    raise SrlabError(f"Unknown parameter '{name}'{hint}. Correct it.{listed}")


def from_text(value: Any) -> Any:
    """Return the Python literal in a text, such as a list after papermill's ``-p``; other values unchanged."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # other text; the last two: deeply nested
        return value
