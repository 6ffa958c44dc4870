"""``srlab progress``: read the results of checks from saved notebooks, without executing them.

`checks.check` saves the exercise and its result as a mark in the output of its cell.
"""

import argparse
import re
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab.paths import expand_user
from srlab.text import printable
from srlab_course.feedback.all_exercises import exercises
from srlab_course.feedback.quiz import ASKED, count_right
from srlab_course.layout import in_columns, seen_from_here
from srlab_course.notebook_files.finding import Saved, find_lab, find_notebooks, own_notebook, read_saved
from srlab_course.notebook_files.marks import Result, checks_in, marks_in


def progress(options: argparse.Namespace) -> int:
    """Print a line per lab, or a table for each notebook that is named. Return 2 if one has no readable exercises."""
    unread = 0
    for name in options.notebooks or find_notebooks():
        try:
            _print_results(name, whole=bool(options.notebooks))
        except SrlabError as error:
            print(f"srlab: {error}", file=sys.stderr)
            unread += 1
    more = "" if options.notebooks else " For the exercises of a lab, add its name: srlab progress 00"
    print(f"These are saved results. Save a notebook to count its new results.{more}")
    return 2 if unread else 0


def _print_results(name: str | Path, whole: bool) -> None:
    """Print the results of a lab or notebook in a line, and if `whole` also those of each exercise."""
    path = expand_user(name) if Path(name).suffix == ".ipynb" else find_lab(str(name))
    notebook = read_saved(path)
    results = read_results(notebook)
    if whole and not results:
        raise SrlabError(f"{path} has no exercises of this version of the course. Check the file.")
    if results:
        where = printable(seen_from_here(path)) if whole else path.stem
        right = sum(result == Result.CORRECT for result in results.values())
        print(f"{where}: {right} of {len(results)} correct{with_quiz(count_right(notebook))}")
    if whole:
        order = [pair for lab in dict.fromkeys(map(lab_of, results)) for pair in numbered(lab).items()]
        print(in_columns([(number, name, exercises()[name].level, results[name]) for name, number in order]))


def with_quiz(right: int | None) -> str:
    """Return ", quiz 4 of 5", or "" for a lab without a quiz."""
    return "" if right is None else f", quiz {right} of {ASKED}"


def read_results(notebook: Saved) -> dict[str, Result]:
    """Return the saved result of each exercise in a notebook's labs, or {} if it has no known exercise.

    If an exercise was checked several times, the last check in the notebook counts.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    calls = {name for cell in code for name in checks_in(cell.source)}
    marks = {name: result for cell in code for name, result in marks_in(cell).items()}
    labs = {lab_of(name) for name in exercises() if name in calls}
    unmarked = {name: Result.NOT_RUN if name in calls else Result.MISSING for name in exercises()}
    return {name: marks.get(name, without) for name, without in unmarked.items() if lab_of(name) in labs}


def numbered(lab: str) -> dict[str, str]:
    """Return the exercises of a lab in the order of its notebook in the course folder, with numbers: "exercise 1".

    Those that it does not contain are last, without a number.
    """
    notebook, number, found = own_notebook(lab), "", {}
    for cell in notebook.cells if notebook else ():
        if cell.cell_type == "code":
            found |= dict.fromkeys(checks_in(cell.source), number)
        elif heading := re.search(r"\*\*Exercise (\d+)\.", cell.source):
            number = f"exercise {heading[1]}"
    known = [name for name in exercises() if lab_of(name) == lab]
    return {name: found.get(name, "") for name in dict.fromkeys([*found, *known]) if name in known}


def lab_of(exercise: str) -> str:
    """Return the lab of an exercise: ``srgan`` for ``srgan.train_step``."""
    return exercise.partition(".")[0]
