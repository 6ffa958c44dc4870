"""``srlab plan``: say what a lab would train, and train nothing."""

import argparse
from typing import Any

from srlab.base import places
from srlab.course.notebooks import find_lab
from srlab.course.recipes import read_book
from srlab.course.setup import setup


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("plan", help="print what a lab would train with these parameters, and train nothing")
    parser.add_argument("lab", metavar="LAB", help="name or beginning of a name, such as 04")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="as for papermill")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Do what the lab's setup does with the same parameters, without a download."""
    lab = find_lab(options.lab).stem
    given = {name: _typed(value) for name, value in options.p}
    setup(lab, read_book(places.recipes() / f"{lab}.yaml").parameters | given, dry=True)
    return 0


def _typed(value: str) -> Any:
    """A value of the command line as papermill reads it."""
    known = {"True": True, "False": False, "None": None}
    for kind in (known.__getitem__, int, float):
        try:
            return kind(value)
        except (KeyError, ValueError):
            continue
    return value
