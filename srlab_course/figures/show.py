"""Show source code, and report the main metric of a lab."""

import inspect
import re
from pathlib import Path
from typing import Any

from IPython.display import Markdown, display

from srlab import devices
from srlab.shell import in_a_notebook, on_a_page, print_in_terminal
from srlab_course.notebook_files.marks import METRIC

COURSE = Path(__file__).parents[2]
_limits: list[str] = []  # what `warn` has printed last


def show_source(*objects: Any) -> None:
    """Show the source code of functions or classes in the notebook, with file and line.

    Sections of the docstrings, such as the parameters, are left out.
    """
    for thing in objects:
        lines, first = inspect.getsourcelines(thing)
        file = Path(inspect.getsourcefile(thing))
        place = file.relative_to(COURSE).as_posix() if file.is_relative_to(COURSE) else file
        source = re.sub(r'\n+ *(Parameters|Returns|Raises|Attributes)\n *---[\s\S]*?"""', '"""', "".join(lines))
        display(Markdown(f"`{thing.__name__}`, from `{place}`, line {first}:\n\n```python\n{source}```"))


def report_metric(label: str, value: float, unit: str = "") -> None:
    """Print a lab's main metric, and save it in the output for ``make labs`` and the tests."""
    text = f"{label}: {value:.2f} {unit}".rstrip()
    figures = {"label": label, "value": value, "unit": unit, "peak_memory_mib": devices.peak_memory_mib()}
    display({"text/plain": text, METRIC: figures}, raw=True)
    warn(_limits)


def warn(lines: list[str]) -> None:
    """Print warnings about what limits a lab's result, now and below its main metric, which is hours later.

    Without a page, as in papermill, which shows a cell only after it has ended, they also go to the terminal.
    """
    _limits[:] = lines
    if not lines:
        return
    print(*lines, sep="\n")
    if in_a_notebook() and not on_a_page():
        print_in_terminal("\n" + "\n".join(lines))  # below the line on which papermill draws its bar
