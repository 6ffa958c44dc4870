"""``srlab progress``: which exercises are right, as the saved outputs of notebooks say; nothing is executed."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.base.files import refuse_existing, write_atomic
from srlab.base.places import seen_from_here
from srlab.base.text import in_columns, printable
from srlab.course.exercise import find
from srlab.course.grading import hand_ins, table
from srlab.course.grading.results import SAVED, progress, summary
from srlab.course.notebooks import find_notebooks, read_notebook
from srlab.course.quiz import ASKED, count_right


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("progress", help="say which exercises are right, as the saved notebooks tell")
    parser.add_argument(
        "paths", nargs="*", metavar="FILE_OR_FOLDER", help="notebooks, and folders of them; default: the labs"
    )
    parser.add_argument("--csv", metavar="FILE", help="write a table of the one folder given: a row a student")
    parser.add_argument("--force", action="store_true", help="replace the file of --csv")
    parser.add_argument("--class", metavar="FILE", dest="names", help="the students' names, one a line")
    parser.set_defaults(command=run, when_stopped="nothing was changed.")


def run(options: argparse.Namespace) -> int:
    """Print a table for each notebook, or a line for each file of a class; returns 2 where something wasn't counted."""
    if options.csv or options.names:
        return grade(options)

    paths, others = _notebooks(options.paths)
    tables = []
    for path in paths:
        try:
            notebook = read_notebook(path)
            results, notes = progress(notebook)
            if not results:
                raise SrlabError(f"{path} has no exercises of this course, or those of another edition.")
        except SrlabError as error:  # the others are shown all the same
            print(f"srlab: {error}", file=sys.stderr)
            continue
        print(f"{printable(seen_from_here(path))}: {summary([results])}")
        for note in notes:
            print(note)
        rows = [(name, find(name).level, SAVED[result]) for name, result in results.items()]
        print(in_columns([("exercise", "level", "saved result"), *rows]))
        if (answered := count_right(notebook)) is not None:
            print(f"quiz: {answered} of {ASKED} right")
        print()
        tables.append(results)
    if len(tables) > 1:
        print(f"In all: {summary(tables)}")
    if others:
        print(f"{others} other files weren't read; with --class or --csv each of a folder is named.")
    if tables:
        print("This is what was saved. Save a notebook first, and what it shows now is counted.")
    return 2 if len(tables) < len(paths) else 0


def grade(options: argparse.Namespace) -> int:
    """Print a line for each file of a class and who is missing, and write the table.

    Returns
    -------
    int
        2 where a file of a student wasn't counted.
    """
    if len(options.paths) != 1:
        raise SrlabError("Give one folder with what the class has handed in.")
    if options.csv:
        refuse_existing(Path(options.csv), options.force)
    folder = Path(options.paths[0])
    names = hand_ins.read_class(Path(options.names)) if options.names else {}
    found = hand_ins.gather(folder, names)
    for one in found:
        print("\n".join(map(printable, table.describe(one))), flush=True)
    students = table.students_of(found, names)
    print()
    for line in table.missing(found, students):
        print(printable(line))
    if names and (others := [name for name in students if name not in names]):
        print(printable(f"Not in the class list: {', '.join(others)}"))
    uncounted = sum(bool(one.student and not one.results) for one in found)
    print(f"{len(found)} files of {len(students)} students; not counted: {uncounted}.")
    if options.csv:
        write_atomic(Path(options.csv), table.grades(found, list(names)))
        print(f"The table is in {printable(options.csv)}.")
    return 2 if uncounted else 0


def _notebooks(paths: Sequence[str]) -> tuple[list[Path], int]:
    """The notebooks as given, all below a folder that is given, or the labs; and how many other files lie there."""
    if not paths:
        return [lab for lab in find_notebooks() if "course.check(" in lab.read_text(encoding="utf-8")], 0
    found: list[Path] = []
    others = 0
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        below = [file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file()]
        files = [path / file for file in below if not any(part.startswith(".") for part in file.parts)]
        inside = [file for file in files if file.suffix == ".ipynb"]
        if not inside:
            raise SrlabError(f"There is no notebook (.ipynb) in {path}; check the path.")
        found += inside
        others += len(files) - len(inside)
    return found, others
