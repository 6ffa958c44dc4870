"""``srlab progress``: which exercises are right, as the saved outputs of notebooks say; nothing is executed."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.base.text import in_columns, printable


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("progress", help="say which exercises are right, as the saved notebooks tell")
    parser.add_argument(
        "paths", nargs="*", metavar="FILE_OR_FOLDER", help="notebooks, and folders of them; default: the labs"
    )
    add_table(parser)
    parser.set_defaults(command=run, when_stopped="nothing was changed.")


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the options for a table of a class."""
    parser.add_argument("--csv", metavar="FILE", help="write a table of the one folder given: a row a student")
    parser.add_argument("--force", action="store_true", help="replace the file of --csv")
    parser.add_argument("--class", metavar="FILE", dest="names", help="the students' names, one a line")


def run(options: argparse.Namespace) -> int:
    """Print a table for each notebook, or a line for each file of a class; returns 2 where something wasn't counted."""
    if options.csv or options.names:
        return _grade_class(options)
    from srlab.exercises import find
    from srlab.exercises.quiz import ASKED, count_right
    from srlab.grading.results import SAVED, other_edition, progress, summary
    from srlab.lab.notebooks import read_notebook, seen_from_here

    tables = []
    refused = 0
    for path in _notebooks(options.paths):
        try:
            notebook = read_notebook(path)
            results, notes = progress(notebook), other_edition(notebook)
            if not results and not notes:
                raise SrlabError(f"There are no exercises of this course in {path}; is it one of the labs?")
        except SrlabError as error:  # the others are shown all the same
            print(f"srlab: {error}", file=sys.stderr)
            refused += 1
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
    if others := sum(_others(Path(path)) for path in options.paths):
        print(f"{others} other files weren't read; with --class or --csv each of a folder is named.")
    if tables:
        print("This is what was saved. Save a notebook first, and what it shows now is counted.")
    return 2 if refused else 0


def _grade_class(options: argparse.Namespace) -> int:
    from srlab.grading import hand_ins, table

    folder, names = prepare(options.paths, options)
    found = hand_ins.gather(folder, names)
    for one in found:
        print(printable_lines(table.describe(one)))
    return finish(found, names, options)


def prepare(paths: Sequence[str], options: argparse.Namespace) -> tuple[Path, dict[str, list[str]]]:
    """The folder of a class and its names; whatever is wrong with the options is said before the work."""
    from srlab.base.files import refuse_existing
    from srlab.grading.hand_ins import read_class

    if len(paths) != 1:
        raise SrlabError("Give one folder with what the class has handed in.")
    if options.csv:
        refuse_existing(Path(options.csv), options.force)
    return Path(paths[0]), read_class(Path(options.names)) if options.names else {}


def finish(found: Sequence, names: dict[str, list[str]], options: argparse.Namespace) -> int:
    """Say who is missing, and write the table; returns 2 where a file of a student wasn't counted."""
    from srlab.base.files import write_atomic
    from srlab.grading import table

    students = table.students_of(found, names)
    uncounted = [one for one in found if one.student and not one.results]
    print()
    for line in table.missing(found, students):
        print(printable(line))
    if names and (others := [name for name in students if name not in names]):
        print(printable(f"Not in the class list: {', '.join(others)}"))
    print(f"{len(found)} files of {len(students)} students; not counted: {len(uncounted)}.")
    if options.csv:
        write_atomic(Path(options.csv), table.grades(found, list(names)))
        print(f"The table is in {printable(options.csv)}.")
    return 2 if uncounted else 0


def printable_lines(lines: Sequence[str]) -> str:
    """Lines for a terminal, with nothing in them that it would obey."""
    return "\n".join(map(printable, lines))


def _others(folder: Path) -> int:
    """How many files of a folder are no notebooks, those that the system hides left out."""
    files = (file.relative_to(folder) for file in folder.rglob("*") if file.suffix != ".ipynb" and file.is_file())
    return sum(not any(part.startswith(".") for part in file.parts) for file in files)


def _notebooks(paths: Sequence[str]) -> list[Path]:
    """The files to read: as given, all below a folder that is given, or those of the course with exercises."""
    if not paths:
        from srlab.lab.notebooks import find_notebooks

        return [lab for lab in find_notebooks() if "srlab.check(" in lab.read_text(encoding="utf-8")]
    found: list[Path] = []
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            inside = [file.relative_to(path) for file in sorted(path.rglob("*.ipynb"))]
            files = [path / file for file in inside if not any(part.startswith(".") for part in file.parts)]
        if not files:
            raise SrlabError(f"There is no notebook (.ipynb) in {path}; check the path.")
        found += files
    return found
