"""``srlab execute`` and ``srlab plan``: run labs headlessly, or show what a lab would train."""

import argparse
import time
from contextlib import suppress
from typing import Any

from srlab.course.execute import execute
from srlab.course.lab import Lab
from srlab.course.layout import seen_from_here
from srlab.course.notebooks import find_lab, find_notebooks
from srlab.course.recipes import read_book
from srlab.course.setup import setup
from srlab.course.timing import milliseconds_per_step, stages
from srlab.errors import SrlabError
from srlab.files import writing
from srlab.paths import recipes, runs_home


def add_execute(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("labs", nargs="*", metavar="LAB", help="lab names, or parts of them, e.g. 01 (default: all)")
    parser.add_argument("--recipe", default="auto", help="recipe to use, e.g. smoke (default: chosen automatically)")
    parser.add_argument("--seed", type=int, help="random seed; runs keep their names, so set another SRLAB_HOME")
    parser.set_defaults(
        command=lambda options: min(1, run_labs(options.recipe, options.labs, options.seed)),
        when_stopped="Finished training steps are saved; the same command resumes from there.",
    )


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("lab", metavar="LAB", help="lab name, or a part of it, e.g. 04 or esrgan")
    parser.add_argument("--all", action="store_true", help="list all settings, not only those that differ")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter, as in papermill"
    )
    parser.set_defaults(command=plan)


def run_labs(recipe: str = "auto", labs: list[str] | None = None, seed: int | None = None) -> int:
    """Execute labs in order, then the extras; print time, memory and main metric of each; return how many failed.

    The executed notebooks are in ``runs/notebooks/``. Labs without this recipe are skipped with a message. With another
    seed, the runs have the same names as with seed 0, so that the labs find each other's runs.
    """
    known = find_notebooks()
    chosen = [find_lab(lab) for lab in labs] if labs else known
    books = {lab: read_book(recipes() / f"{lab.stem}.yaml") for lab in known}
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
        if seed and "iters" in books[lab].parameters:
            parameters["run"] = "default" if recipe == "auto" else recipe
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


def plan(options: argparse.Namespace) -> int:
    """Run a lab's setup without downloads. On a GPU, also measure some steps and print how long the training takes."""
    name = find_lab(options.lab).stem
    given = {name: _typed(value) for name, value in options.p}
    lab = setup(name, read_book(recipes() / f"{name}.yaml").parameters | given, dry=True, everything=options.all)
    if lab.device.type == "cuda" and lab.parameters.get("iters"):
        print_times(lab)
    return 0


def print_times(lab: Lab) -> None:
    """Print the estimated time of each stage of a lab's training."""
    print("time:    without validation and checkpoints, from 60 steps of each stage on this machine", flush=True)
    for stage, iters in stages(lab).items():
        if iters:
            milliseconds = milliseconds_per_step(lab, stage)
            minutes = iters * milliseconds / 60_000
            total = f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.1f} minutes"
            print(f"         {stage}: {iters:,} steps of {milliseconds:.1f} ms, {total}", flush=True)


def _typed(value: str) -> Any:
    """Return the value that papermill's ``-p`` makes from a text."""
    if value in (constants := {"True": True, "False": False, "None": None}):
        return constants[value]
    for number in (int, float):
        with suppress(ValueError):
            return number(value)
    return value
