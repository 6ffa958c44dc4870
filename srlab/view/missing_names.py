"""A cell that is run too early: its NameError says what to run first."""

import sys
from types import TracebackType
from typing import Any

ADVICE = "If a cell above makes {name}, run that first: menu Run > Run All Above Selected Cell, then this cell again."


def explain_missing_names() -> None:
    """From here on, let each NameError of a cell say what to run first; nothing happens outside of IPython."""
    ipython = sys.modules.get("IPython")  # a script has none
    if ipython and (shell := ipython.get_ipython()):
        shell.set_custom_exc((NameError,), _show)


def _show(
    shell: Any, kind: type[NameError], error: NameError, trace: TracebackType, tb_offset: int | None = None
) -> None:
    if not isinstance(error, UnboundLocalError):  # a local variable, which no cell above makes
        error.add_note(ADVICE.format(name=error.name))
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
