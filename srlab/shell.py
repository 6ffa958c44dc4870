"""Find out where code runs, and print where people look: on a notebook's page, or in a terminal."""

import io
import os
import sys
from contextlib import suppress
from typing import Any


def running_shell() -> Any:
    """Return the IPython shell that runs this code, or None in a script; a script does not even need IPython."""
    ipython = sys.modules.get("IPython")  # code that runs in IPython runs after its import
    return ipython.get_ipython() if ipython else None


def in_a_notebook() -> bool:
    """Return whether a notebook's kernel runs this code."""
    return hasattr(running_shell(), "kernel")


def on_a_page() -> bool:
    """Return whether this cell runs on a page, where you can click and type; False in papermill."""
    shell = running_shell()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}  # a terminal has no get_parent
    return "cellId" in request.get("metadata", {})


def is_watched() -> bool:
    """Return whether output is seen while it is written, on a page or in the terminal of a script."""
    return on_a_page() if in_a_notebook() else sys.stderr.isatty()


def print_in_terminal(text: str) -> None:
    """Print where a script prints its errors; in a notebook that is the terminal in which its kernel was started."""
    with suppress(OSError, AttributeError):  # there may be no terminal, or none any more
        if not in_a_notebook():
            print(text, file=sys.stderr, flush=True)
            return
        try:
            terminal = sys.stderr.fileno()  # in a kernel, it leads past the output of the cell
        except io.UnsupportedOperation:  # as on Windows, where the usual one does
            terminal = sys.__stderr__.fileno()  # type: ignore[union-attr]  # None, without a terminal: see above
        os.write(terminal, f"{text}\n".encode(errors="replace"))
