"""A cell that is run too early: its NameError says what to run first."""

from types import TracebackType
from typing import Any

from srlab.base.shell import running_shell

ADVICE = "If a cell above makes {name}, run that first: menu Run > Run All Above Selected Cell, then this cell again."


def explain_missing_names() -> None:
    """From here on, let each NameError of a cell say what to run first; nothing happens outside of IPython."""
    if shell := running_shell():
        shell.set_custom_exc((NameError,), _show)


def _show(
    shell: Any, kind: type[NameError], error: NameError, trace: TracebackType, tb_offset: int | None = None
) -> None:
    if not isinstance(error, UnboundLocalError):  # a local variable, which no cell above makes
        error.add_note(ADVICE.format(name=error.name))
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
