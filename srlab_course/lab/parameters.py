"""Read and check a lab's parameters and overrides."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from srlab.errors import SrlabError
from srlab_course.lab.settings import KINDS, Settings

INJECTED = "# Parameters\n"  # papermill begins the cell with the options of its command with this line


def read_parameters(lab: type[Settings], namespace: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a lab's parameters (without ``overrides``) and its overrides.

    Parameters are variables of the notebook. Every other setting is in ``overrides``, or in the newest cell that
    papermill injected, which IPython keeps in ``In``. Overrides are in the order of the lab's settings, so that their
    order does not change the name of the run.
    """
    defaults = lab.in_cell()
    entries = [name for name in lab.settings if name not in defaults]
    if missing := [name for name in defaults if name not in namespace]:
        raise SrlabError(
            f"Parameter {missing[0]} is not defined. Run the lab's parameter cell first, and leave the line "
            f"{missing[0]} = {defaults[missing[0]]!r} in it."
        )
    values = {name: namespace[name] for name in defaults}
    overrides = from_text(values.pop("overrides"))
    lab.check({"overrides": overrides})
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
    lab.check(values | overrides)
    return values, {name: overrides[name] for name in entries if name in overrides}


def injected_settings(inputs: Sequence[str]) -> dict[str, Any]:
    """Return what the newest cell injected by papermill assigns: literals, or the text of other code."""
    cell = next((cell for cell in reversed(inputs) if cell.startswith(INJECTED)), "")
    lines = [line for line in ast.parse(cell).body if isinstance(line, ast.Assign)]
    return {ast.unparse(line.targets[0]): from_text(ast.unparse(line.value)) for line in lines}


def from_text(value: Any) -> Any:
    """Return the Python literal in a text, such as a list after papermill's ``-p``; other values unchanged."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # other text; the last two: deeply nested
        return value
