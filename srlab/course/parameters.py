"""The values that a lab is given, held against the defaults that came with it, wherever they were typed."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from pkgutil import resolve_name
from typing import Any

import yaml

from srlab.base.errors import SrlabError
from srlab.course.recipes import Book

PLAIN = (bool, int, float, str, list, dict, set, tuple, type(None))  # what a parameter can be, or be by mistake
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
    """Read a lab's parameters and the changed entries of its recipe from what a notebook has defined.

    Parameters
    ----------
    book
        From `srlab.course.recipes.read_book`.
    namespace
        Of the notebook.
    earlier
        None for the first setup of a kernel: every plain value with a lower-case name is then a parameter or an
        entry of the recipe, or an error. For a later setup, the entries that the first one read; any other variable is
        the reader's own.

    Returns
    -------
    tuple of dict
        Name -> value: the parameters without ``tricks``, and the changed entries of the recipe, each in the order of
        the file, so that the same values in another order make the same run.

    Raises
    ------
    SrlabError
        A name is unknown or missing, or a value makes no sense.
    """
    defaults, entries = book.parameters, [name for name in book.meaning if name not in book.parameters]
    if missing := [name for name in defaults if name not in namespace]:
        raise SrlabError(
            f"There is no {missing[0]} here: run the cell with the parameters of this lab first, and leave the line "
            f"{missing[0]} = {defaults[missing[0]]!r} in it."
        )
    typed = [name for name in entries if name in namespace and isinstance(namespace[name], PLAIN)]
    if earlier is None:
        for name, value in namespace.items():
            other = name.startswith("_") or name.isupper() or name in ("In", "Out")  # of IPython, or a constant
            if isinstance(value, PLAIN) and not other and name not in (*defaults, *entries):
                advice = f"; correct it, and run `del {name}` or restart the kernel, which remembers it"
                _refuse_unknown(name, [*defaults, *entries], advice)
    elif ignored := [name for name in typed if name not in earlier]:
        name = ignored[0]
        print(f"Your variable {name} does not change the recipe; tricks = {{{name!r}: {namespace[name]!r}}} would.")
        typed = [name for name in typed if name in earlier]
    values = {name: namespace[name] for name in defaults}
    tricks = _read("tricks", values.pop("tricks"))
    check_parameters({"tricks": {}}, {"tricks": tricks})
    for name in tricks:
        if name in defaults:
            raise SrlabError(f"{name} is no trick but a parameter of its own; write {name} = {tricks[name]!r}.")
    tricks = tricks | {name: namespace[name] for name in typed}
    tricks = {name: _read(name, value) for name, value in tricks.items()}
    check_parameters(book.recipes["laptop"].values | defaults, values | tricks, book.choices, book.least)
    return values, {name: tricks[name] for name in entries if name in tricks}


def check_parameters(
    defaults: Mapping[str, Any],
    values: Mapping[str, Any],
    choices: Mapping[str, list[Any] | str] | None = None,
    least: Mapping[str, float] | None = None,
) -> None:
    """Refuse unknown names, values of another type than the default, and values that make no sense.

    Parameters
    ----------
    defaults, values
        Name -> value.
    choices, least
        What some of them may be, and at least must be, see `srlab.course.recipes`.

    Raises
    ------
    SrlabError
        Says which parameter, what is known, and the nearest name.
    """
    for name, value in values.items():
        if name not in defaults:
            _refuse_unknown(name, defaults)
        default = defaults[name]
        kind = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, kind) or (isinstance(value, bool) and not isinstance(default, bool)):
            typed = kind is str and isinstance(value, int | float)
            hint = " Papermill takes text that looks like a number with -r instead of -p." if typed else ""
            raise SrlabError(
                f"The parameter {name}={value!r} must be {KINDS[type(default)]}, like its default {default!r}.{hint}"
            )
        if isinstance(default, list):
            count = f"{len(default)} " if default else ""
            numbers = all(isinstance(one, int | float) and math.isfinite(one) for one in value)
            if not numbers or (default and len(value) != len(default)):
                raise SrlabError(
                    f"The parameter {name}={value} must be a list of {count}numbers, like its default {default}."
                )
        if isinstance(value, float) and not math.isfinite(value):
            raise SrlabError(f"The parameter {name}={value} must be a finite number.")
        if least and name in least and value < least[name]:
            raise SrlabError(f"The parameter {name}={value} must be at least {least[name]}.")
        if choices and name in choices:
            known = choices[name]
            known = list(resolve_name(known) if isinstance(known, str) else known)
            if value not in known:
                raise SrlabError(f"Unknown {name} {value!r}; choose one of {', '.join(map(str, known))}.")


def _refuse_unknown(name: Any, known: Iterable[str], advice: str = "") -> None:
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    listed = "" if near else f" This lab knows: {', '.join(known)}."
    raise SrlabError(f"Unknown parameter '{name}'{hint}{advice}.{listed}")


def _read(name: str, value: Any) -> Any:
    """A list or a dict that papermill's -p has handed on as the text that was typed."""
    if not (isinstance(value, str) and value.lstrip().startswith(("[", "{"))):
        return value

    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SrlabError(
            f"The parameter {name}={value!r} cannot be read; a list is written [0.9, 0.99], and a dict "
            '{"batch": 4}, within quotes of the shell.'
        ) from error
