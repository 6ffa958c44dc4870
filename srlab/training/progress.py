"""Show the progress and the pace of a training run."""

import io
import textwrap
import time
from collections import deque
from statistics import median
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


class Pace:
    """The time per training step, without validating and saving.

    It is measured from one row of the log to the next, because only then the CPU has waited for the GPU.
    """

    def __init__(self, step: int) -> None:
        self._milliseconds: deque[float] = deque(maxlen=10)
        self.start(step)

    def start(self, step: int) -> None:
        """Start the clock, after a pause or at the beginning."""
        self._since = step, time.perf_counter()

    def lap(self, step: int) -> float:
        """Return the median of the milliseconds per step in the last ten rows, and start the clock again."""
        first, began = self._since
        self._milliseconds.append(1000 * (time.perf_counter() - began) / (step - first))
        self.start(step)
        return round(median(self._milliseconds), 3)
