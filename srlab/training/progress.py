"""Progress bar for training runs."""

import io
import textwrap
from typing import Any

from tqdm import tqdm

from srlab.shell import running_shell

WIDTH = 80  # characters per line in a notebook
RETURN = (
    "Closed or reloaded the page? Training continues. Run this cell again to wait for the end and see the result.\n"
    "Restarted the kernel? Run the cells above and this one to resume training from the last checkpoint."
)


class Progress(tqdm):
    """A tqdm progress bar; in a notebook it is plain text, which survives reloading the page.

    Next to many losses, tqdm's widget leaves no space for the bar, and it is lost with its kernel.
    """

    def __init__(self, **options: Any) -> None:
        self._place: Any = None
        self._notebook = hasattr(running_shell(), "kernel")
        if self._notebook:
            options |= {"file": io.StringIO(), "ascii": False, "ncols": WIDTH}  # so that tqdm itself writes nothing
        super().__init__(**options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Draw the bar in its current state."""
        if not self._notebook:
            super().display(msg, pos)
            return
        bar = self.format_meter(**self.format_dict | {"postfix": ""})
        lines = [bar, textwrap.fill(self.postfix or "", WIDTH), "" if self.n >= self.total else RETURN]
        shown = {"text/plain": "\n".join(line for line in lines if line)}
        if self._place is None:
            from IPython.display import display  # scripts may run without IPython

            self._place = display(shown, raw=True, display_id=True)
        else:
            self._place.update(shown, raw=True)
