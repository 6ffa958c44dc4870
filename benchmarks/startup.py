"""Where the time goes before a lab does anything, and in which of its cells it goes afterwards.

Starts are timed in processes of their own, in turns, with files that the system has read before. The cells come from
executed labs, where papermill has written down how long each took.

    python benchmarks/startup.py
    python benchmarks/startup.py --labs runs/notebooks/smoke --cells 5
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from ways import alternate, markdown, spread

from srlab.base.errors import SrlabError
from srlab.base.places import home
from srlab.cli.papermill import find_notebooks

FIRST_USE = "import srlab; srlab.Trainer, srlab.models, srlab.datasets, srlab.compare, srlab.evaluate"
PROGRAMS = {
    "Python itself": "pass",
    "import torch": "import torch",
    "import srlab (what it needs comes with the first use)": "import srlab",
    "srlab with Trainer, networks, photos, slider and scores": FIRST_USE,
    "the same, and matplotlib for figures": f"{FIRST_USE}; import matplotlib.pyplot",
    "srlab doctor --help": "import srlab.cli.main",
}


def timed_program(code: str) -> float:
    """Seconds that a new Python takes for a line of code."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def timed_kernel() -> float:
    """Seconds from asking for a Jupyter kernel to the answer to its first cell."""
    from jupyter_client.manager import run_kernel

    begun = time.perf_counter()
    with run_kernel(kernel_name="python3") as client:
        client.execute_interactive("pass", timeout=60)
        return time.perf_counter() - begun


def repeated(measure: Callable[[], float]) -> Iterator[float]:
    """The times of the same thing, for as long as somebody asks."""
    while True:
        yield measure()


def starts(repeats: int) -> list[dict[str, str]]:
    """Rows of the table of starts."""
    ways = {name: repeated(lambda code=code: timed_program(code)) for name, code in PROGRAMS.items()}
    ways["a Jupyter kernel and its first answer"] = repeated(timed_kernel)
    seconds = alternate(ways, repeats)
    return [{"start": name, "seconds": spread(times)} for name, times in seconds.items()]


def slowest_cells(notebook: Path, count: int) -> dict[str, str]:
    """A row for an executed lab: its seconds, how much of them its slowest cells take, and how these begin.

    Raises
    ------
    SrlabError
        The notebook was not executed by papermill.
    """
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    took = {i: cell.metadata.get("papermill", {}).get("duration") or 0.0 for i, cell in enumerate(cells)}
    if not (whole := sum(took.values())):
        raise SrlabError(f"{notebook} has no times of cells; execute it first, by `make labs`.")
    slowest = sorted(took, key=took.get, reverse=True)[:count]
    begins = [cells[i].source.partition("\n")[0].strip("# ")[:48] for i in slowest]
    return {
        "lab": notebook.stem,
        "s": f"{whole:.0f}",
        f"slowest {count} cells": f"{sum(took[i] for i in slowest) / whole:.0%}",
        "half of the cells take": f"{1000 * statistics.median(took.values()):.0f} ms or less",
        "they begin with": "; ".join(f"`{text}` {took[i]:.0f} s" for text, i in zip(begins, slowest, strict=True)),
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--labs", type=Path, default=home() / "notebooks", help="folder of executed labs")
    parser.add_argument("--cells", type=int, default=3, help="how many of the slowest cells are named")
    options = parser.parse_args()
    print(markdown(starts(options.repeats)))
    executed = [options.labs / lab.name for lab in sorted(find_notebooks().glob("[0-9]*.ipynb"))]
    rows = [slowest_cells(lab, options.cells) for lab in executed if lab.is_file()]
    print(f"\n{markdown(rows)}" if rows else f"\nThere are no executed labs in {options.labs}; `make labs` makes them.")


if __name__ == "__main__":
    main()
