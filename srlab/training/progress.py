"""Show the progress and the pace of a training run."""

import io
import textwrap
import time
from collections import deque
from statistics import median
from typing import Any

from tqdm import tqdm

from srlab.shell import in_a_notebook, is_watched, on_a_page, print_in_terminal

PAUSE_S = 10.0  # seconds between two lines in the terminal, so that the short runs of a lab print none
WIDTH = 80  # characters per line in a notebook
RETURN = (
    "Closed or reloaded the page? Training continues. Run this cell again to wait for the end and see the result.\n"
    "Restarted the kernel? Run the cells above and this one to resume training from the last checkpoint."
)


class Progress(tqdm):
    """A tqdm progress bar; in a notebook it is plain text, which survives reloading the page.

    Next to many losses, tqdm's widget leaves no space for the bar, and it is lost with its kernel. Where no bar is seen
    while it moves, as under papermill or in the log of a script, `report` prints lines in the terminal.
    """

    def __init__(self, **options: Any) -> None:
        self._place: Any = None
        self._begun = False  # whether `report` has printed a line
        self._reported = time.monotonic()
        self._notebook, self._page, self._lines = in_a_notebook(), on_a_page(), not is_watched()
        if self._notebook or self._lines:
            options |= {"file": io.StringIO(), "ascii": False, "ncols": WIDTH}  # so that tqdm itself writes nothing
        super().__init__(**options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Draw the bar in its current state."""
        if not self._notebook:
            super().display(msg, pos)
            return
        bar = self.format_meter(**self.format_dict | {"postfix": ""})
        advice = RETURN if self._page and self.n < self.total else ""
        shown = {"text/plain": "\n".join(filter(None, [bar, textwrap.fill(self.postfix or "", WIDTH), advice]))}
        if self._place is None:
            from IPython.display import display  # scripts may run without IPython

            self._place = display(shown, raw=True, display_id=True)
        else:
            self._place.update(shown, raw=True)

    def report(self, scores: dict[str, float]) -> None:
        """Print step, losses, pace, scores and time left in a line in the terminal, if no bar is seen there.

        A line that follows another one or the beginning by less than `PAUSE_S` is left out.
        """
        if not self._lines or time.monotonic() < self._reported + PAUSE_S:
            return
        self._reported = time.monotonic()
        done, seconds = self.n - self.initial, self.format_dict["elapsed"]
        left = self.format_interval(seconds / done * (self.total - self.n)) if done else "unknown"
        shown = [f"{name}={float(score):.4g}" for name, score in scores.items()]
        said = ", ".join([f"{self.desc.rstrip(': ')}: step {self.n:,} of {self.total:,}", self.postfix or "", *shown])
        # The first line also ends the one on which papermill draws its bar.
        print_in_terminal("\n" * (self._notebook and not self._begun) + f"{said}, {left} left")
        self._begun = True


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
