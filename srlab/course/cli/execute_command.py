"""``srlab execute`` and ``srlab plan``: execute labs headless, or print what a lab would train."""

import argparse
import ast
import time
from typing import Any

from srlab.course.execute import execute
from srlab.course.notebooks import find_lab, find_notebooks
from srlab.course.recipes import read_book
from srlab.course.setup import setup
from srlab.errors import SrlabError
from srlab.files import writing
from srlab.paths import home, recipes, seen_from_here


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the commands to the parser of ``srlab``."""
    parser = commands.add_parser("execute", help="execute labs headless and print their results")
    parser.add_argument("labs", nargs="*", metavar="LAB", help="names or beginnings of names, such as 01; default: all")
    parser.add_argument("--recipe", default="auto", help="from notebooks/recipes/, such as smoke (default: what fits)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.set_defaults(
        command=lambda options: min(1, run_labs(options.recipe, options.labs, options.seed)),
        when_stopped="finished training steps are saved, and the same command resumes from there.",
    )
    parser = commands.add_parser("plan", help="print what a lab would train with these parameters, and train nothing")
    parser.add_argument("lab", metavar="LAB", help="name or beginning of a name, such as 04")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="as for papermill")
    parser.set_defaults(command=plan)


def run_labs(recipe: str = "auto", labs: list[str] | None = None, seed: int = 0) -> int:
    """Execute labs in order, then the extras, and print time, memory and headline of each; return how many failed.

    The executed notebooks are in ``runs/notebooks/``. Labs without this recipe are skipped with a message. With another
    seed, the runs are named as for seed 0, so that the labs find each other's runs.
    """
    known = find_notebooks()
    chosen = [find_lab(lab) for lab in labs] if labs else known
    books = {lab: read_book(recipes() / f"{lab.stem}.yaml") for lab in known}
    names = dict.fromkeys(name for book in books.values() for name in ("auto", *book.recipes))
    if recipe not in names:
        raise SrlabError(f"There is no recipe '{recipe}'; choose {', '.join(names)}.")
    folder = home() / "notebooks" / ("" if recipe == "auto" else recipe)
    with writing(folder, "Set SRLAB_HOME to a folder that you own"):
        folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for lab in chosen:
        if recipe not in ("auto", *books[lab].recipes):
            print(f"{lab.stem} has no recipe {recipe}: left out.")
            continue
        print(f"running {lab.stem} ...", flush=True)
        output, started = folder / lab.name, time.perf_counter()
        parameters = {"recipe": recipe} if recipe != "auto" else {}
        if seed:
            parameters["seed"] = seed
            if "iters" in books[lab].parameters:
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
    """Run the lab's setup without downloads."""
    lab = find_lab(options.lab).stem
    given = {name: _typed(value) for name, value in options.p}
    setup(lab, read_book(recipes() / f"{lab}.yaml").parameters | given, dry=True)
    return 0


def _typed(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
