"""Read and check a lab's parameters and overrides."""

import ast
import difflib
import math
import re
import symtable
from collections.abc import Collection, Iterable, Mapping
from pkgutil import resolve_name
from typing import Any

from srlab.errors import SrlabError
from srlab_course.lab.recipes import Book

SETUP = re.compile(r"(^|;)[ \t]*(\w+ *= *)?([\w.]+\.)?setup\(", re.MULTILINE)  # a call of `course.setup`
PLAIN = (bool, int, float, str, list, dict, set, tuple, type(None))  # types that a parameter can have, valid or not
KINDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a dict, such as {'batch': 4}",
}


def read_parameters(
    book: Book, namespace: Mapping[str, Any], earlier: Collection[str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a lab's parameters (without ``overrides``) and its overrides, read from a notebook's variables.

    `earlier` has the names of the overrides of an earlier setup in the same namespace, or is None for the first.

    Every plain value that was typed and has a lower-case name must be a parameter or a recipe setting, and ``SEED`` is
    taken for a misspelled ``seed``. Overrides are in the order of the recipe file, so that their order does not change
    the name of the run.
    """
    defaults, entries = book.parameters, [name for name in book.help if name not in book.parameters]
    typed = typed_variables(namespace, defaults.keys(), entries if earlier is None else earlier)
    if missing := [name for name in defaults if name not in typed]:
        raise SrlabError(
            f"Parameter {missing[0]} is not defined. Run the lab's parameter cell first, and leave the line "
            f"{missing[0]} = {defaults[missing[0]]!r} in it."
        )
    for name in (name for name in entries if name in _plain(namespace) and name not in typed):
        print(f"Your variable {name} does not change the recipe. Use overrides = {{{name!r}: {namespace[name]!r}}}.")
    plain = _plain(typed)
    for name in plain:
        constant = name.isupper() and name.lower() not in (*defaults, *entries)
        exempt = name.startswith("_") or constant or name in ("In", "Out")  # from IPython, or a constant
        if not exempt and name not in (*defaults, *entries):
            _reject_unknown(name, [*defaults, *entries])
    values = {name: namespace[name] for name in defaults}
    overrides = from_text(values.pop("overrides"))
    check_parameters({"overrides": {}}, {"overrides": overrides})
    if twice := [name for name in overrides if name in defaults]:
        raise SrlabError(
            f"{twice[0]} is a notebook parameter, not an override. Write {twice[0]} = {overrides[twice[0]]!r}."
        )
    overrides |= {name: plain[name] for name in entries if name in plain}
    overrides = {name: from_text(value) for name, value in overrides.items()}
    check_parameters(book.recipes["laptop"].values | defaults, values | overrides, book.choices, book.minimum)
    return values, {name: overrides[name] for name in entries if name in overrides}


def typed_variables(
    namespace: Mapping[str, Any], parameters: Collection[str], entries: Collection[str]
) -> Mapping[str, Any]:
    """Return the variables that the newest parameter cell assigns, or a cell between it and the setup.

    Variables from elsewhere, such as IPython's startup files, were not typed as parameters. Of a module without such a
    cell in ``In``, the history of IPython, only the names of parameters and recipe entries count: it is a script, or
    its client keeps no history, as nbval's. At a later setup, `entries` are those that counted at the first. Of a
    plain dict, all names count.
    """
    inputs = namespace.get("In", [])
    found = [_assigned(cell).intersection(parameters) for cell in inputs]
    whole = [k for k, names in enumerate(found) if len(names) == len(parameters)]
    parts = [k for k, names in enumerate(found) if names]  # of a parameter cell that was split
    if not parts:
        known = {*parameters, *entries} if "__name__" in namespace else namespace.keys()
        return {name: namespace[name] for name in namespace if name in known}
    typed = set()
    for cell in inputs[whole[-1] if whole else parts[0] :]:
        call = SETUP.search(cell)
        typed |= _assigned(cell[: call.start()] if call else cell)
        if call:
            break
    return {name: namespace[name] for name in namespace if name in typed}


def _plain(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if isinstance(value, PLAIN)}


def _assigned(code: str) -> set[str]:
    """Return the names that a cell assigns or imports."""
    if code.startswith("get_ipython().run_cell_magic("):  # how IPython keeps a cell below %%time
        code = ast.literal_eval(ast.parse(code).body[0].value.args[-1])
    try:
        symbols = symtable.symtable(code, "a cell", "exec").get_symbols()
    except SyntaxError:  # a cell that could not run
        return set()
    return {one.get_name() for one in symbols if one.is_assigned() or one.is_imported()}


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
        elif name in (minimum or {}) and value < minimum[name]:
            must = f"be at least {minimum[name]}"
        elif name in (choices or {}):
            known = choices[name]
            known = list(resolve_name(known) if isinstance(known, str) else known)
            must = "" if value in known else f"be one of {', '.join(map(str, known))}"
        if must:
            raise SrlabError(f"The parameter {name}={value!r} must {must}.")


def _reject_unknown(name: Any, known: Iterable[str]) -> None:
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    listed = "" if near else f" This lab has {', '.join(known)}."
    raise SrlabError(f"Unknown parameter '{name}'{hint}. Correct it.{listed}")


def from_text(value: Any) -> Any:
    """Return the Python literal in a text, such as a list after papermill's ``-p``; other values unchanged."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, TypeError, SyntaxError):  # other text
        return value
