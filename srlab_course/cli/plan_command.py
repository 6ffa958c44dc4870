"""``srlab plan``: show what a lab would train."""

import argparse

from srlab.paths import recipes
from srlab_course.lab.parameters import from_text
from srlab_course.lab.recipes import read_book
from srlab_course.lab.setup import setup
from srlab_course.notebook_files.finding import find_lab


def plan(options: argparse.Namespace) -> int:
    """Set up a lab without downloads, which prints what it would train or raises what the lab would raise."""
    lab = find_lab(options.lab).stem
    parameters = read_book(recipes() / f"{lab}.py").parameters
    given = {"overrides": {}} | {name: from_text(value) for name, value in options.p}
    if isinstance(given["overrides"], dict):  # setup rejects other values
        given["overrides"] |= {name: value for name, value in given.items() if name not in parameters}
    setup(lab, parameters | given, dry=True, whole=options.all)
    return 0
