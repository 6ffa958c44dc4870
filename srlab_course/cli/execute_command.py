"""``srlab execute``: run labs headlessly."""

import argparse
import time

from srlab.errors import SrlabError
from srlab.files import writing
from srlab.paths import recipes, runs_home
from srlab_course.lab.parameters import from_text
from srlab_course.lab.recipes import read_book
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.execute import execute
from srlab_course.notebook_files.finding import find_lab, find_notebooks


def execute_labs(options: argparse.Namespace) -> int:
    """Execute labs and return the exit code."""
    return min(1, run_labs(options.recipe, options.labs, options.seed, dict(options.p)))


def run_labs(
    recipe: str = "auto", labs: list[str] | None = None, seed: int | None = None, typed: dict[str, str] | None = None
) -> int:
    """Execute labs in order, then the extras; print time, memory and main metric of each; return how many failed.

    The executed notebooks are in ``runs/notebooks/``. Labs without this recipe are skipped with a message. With another
    seed, the runs have the same names as with seed 0, so that the labs find each other's runs. `typed` are other
    parameters, as text.
    """
    known = find_notebooks()
    chosen = [find_lab(lab) for lab in labs] if labs else known
    books = {lab: read_book(recipes() / f"{lab.stem}.py") for lab in known}
    names = dict.fromkeys(name for book in books.values() for name in ("auto", *book.recipes))
    if recipe not in names:
        raise SrlabError(f"Recipe '{recipe}' not found. Choose {', '.join(names)}.")
    folder = runs_home() / "notebooks" / ("" if recipe == "auto" else recipe)
    with writing(folder, "with SRLAB_HOME"):
        folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for lab in chosen:
        if recipe not in ("auto", *books[lab].recipes):
            print(f"{lab.stem} has no recipe {recipe}: skipped.")
            continue
        print(f"running {lab.stem} ...", flush=True)
        output, started = folder / lab.name, time.perf_counter()
        parameters = {"recipe": recipe} if recipe != "auto" else {}
        if seed is not None:
            parameters["seed"] = seed
        if seed and "iters" in books[lab].lab.settings:
            parameters["run"] = "default" if recipe == "auto" else recipe
        parameters |= {name: from_text(value) for name, value in (typed or {}).items()}
        try:
            figures = execute(lab, output, parameters)
        except SrlabError as error:
            failed += 1
            print(f"{lab.stem} failed: {error}", flush=True)
            continue
        result = f"{figures['label']}: {figures['value']:.2f} {figures['unit']}".strip()
        memory = f"{figures['peak_memory_mib'] / 1024:.1f} GiB"
        seconds = f"{time.perf_counter() - started:.0f} s"
        print(f"{lab.stem:15} {seconds:>6} {memory:>8}  {result:51} {seen_from_here(output)}", flush=True)
    return failed
