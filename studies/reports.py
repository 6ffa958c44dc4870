"""Writes the report of a study, with a folder for its figures beside it."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from srlab.base.files import write_atomic


def write(target: Path, text: Callable[[Path], str]) -> None:
    """Write what `text` gives for the folder of the figures, into which it draws them without a screen."""
    mpl.use("Agg")
    folder = target.parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(target, text(folder).encode())
    print(f"The report: {target}")
