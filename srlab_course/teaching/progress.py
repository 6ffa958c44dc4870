"""``srlab progress``: print the saved results of a student's checks."""

import argparse
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab.paths import expand_user
from srlab_course.feedback.all_exercises import exercises
from srlab_course.feedback.quiz import count_right
from srlab_course.layout import in_columns, seen_from_here
from srlab_course.notebook_files.finding import find_lab, find_notebooks, read_saved
from srlab_course.notebook_files.marks import Result
from srlab_course.teaching.saved_results import lab_of, numbered, read_results, with_quiz


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
        where = seen_from_here(path) if whole else path.stem
        right = sum(result == Result.CORRECT for result in results.values())
        counted = count_right(notebook)
        quiz = "".join(with_quiz(counted.get(lab)) for lab in dict.fromkeys(map(lab_of, results)))
        print(f"{where}: {right} of {len(results)} correct{quiz}")
    if whole:
        order = [pair for lab in dict.fromkeys(map(lab_of, results)) for pair in numbered(lab).items()]
        print(in_columns([(number, name, exercises()[name].level, results[name]) for name, number in order]))
