"""``srlab labs``: execute the labs headless, and say in a line of each how it went."""

import argparse
import time

from srlab.base.errors import SrlabError
from srlab.base.files import writing
from srlab.base.places import home, recipes, seen_from_here
from srlab.course.execute import execute
from srlab.course.notebooks import find_lab, find_notebooks
from srlab.course.recipes import read_book


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("labs", help="execute the labs headless and print what came out")
    parser.add_argument("labs", nargs="*", metavar="LAB", help="names or beginnings of names, such as 01; default: all")
    parser.add_argument("--recipe", default="auto", help="of notebooks/recipes/, such as smoke; default: what fits")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.set_defaults(command=run, when_stopped="what was trained is saved, and the same command goes on from there.")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns 1 if a lab failed."""
    return 1 if run_labs(options.recipe, options.labs, options.seed) else 0


def run_labs(recipe: str = "auto", labs: list[str] | None = None, seed: int = 0) -> int:
    """Execute labs in order, then the extras, into ``runs/notebooks/``; print the time, memory and headline of each.

    Parameters
    ----------
    recipe
        Name of a recipe in ``notebooks/recipes/``, such as ``smoke``; ``"auto"`` takes those that fit. A lab that does
        not have it is left out, and named.
    labs
        Names of labs and extras, or unique beginnings of them; all of them where None.
    seed
        Of all random numbers. The runs have the names of seed 0, so that the labs find each other's.

    Returns
    -------
    int
        How many labs failed; the others were executed all the same.
    """
    known = find_notebooks()
    chosen = [find_lab(lab) for lab in labs] if labs else known
    books = {lab: read_book(recipes() / f"{lab.stem}.yaml") for lab in known}
    names = dict.fromkeys(name for book in books.values() for name in book.recipes)
    if recipe not in ("auto", *names):
        raise SrlabError(f"There is no recipe '{recipe}'; choose auto, {', '.join(names)}.")
    without = [lab for lab in chosen if recipe not in ("auto", *books[lab].recipes)]
    chosen = [lab for lab in chosen if lab not in without]
    if without:
        print(f"There is no recipe {recipe} for {', '.join(lab.stem for lab in without)}: left out.")
    folder = home() / "notebooks" / ("" if recipe == "auto" else recipe)
    with writing(folder, "set SRLAB_HOME to a folder you own"):
        folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for lab in chosen:
        print(f"running {lab.stem} ...", flush=True)
        output, started = folder / lab.name, time.perf_counter()
        parameters = {"recipe": recipe} if recipe != "auto" else {}
        if seed:
            trains = "iters" in books[lab].parameters
            name = "default" if recipe == "auto" else recipe
            parameters |= {"seed": seed} | ({"run": name} if trains else {})
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
