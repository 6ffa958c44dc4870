"""``srlab short``: write a lab without optional sections, or without all sections from one on.

Labs run from top to bottom, so what is left runs. An optional section that needs another has the tags of both.
"""

import argparse
import math

import nbformat
from nbconvert.preprocessors import TagRemovePreprocessor

from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.finding import find_lab, tags_of


def short(options: argparse.Namespace) -> int:
    """Write a copy of a lab without some sections next to the lab, where its pictures are, and print the path."""
    lab = find_lab(options.lab)
    out = lab.with_suffix(".short.ipynb")
    refuse_existing(out, options.force)
    notebook = read_notebook(lab)
    without, known, optional = {*options.without}, set(), set()
    for cell in notebook.cells:
        sections = {int(tag.removeprefix("section-")) for tag in tags_of(cell) if tag.startswith("section-")}
        known |= sections
        optional |= sections if "another-day" in tags_of(cell) else set()
    if unknown := sorted(without - known):
        raise SrlabError(f"{lab.stem} has no section {unknown[0]}. Pass numbers from the headings of the lab.")
    core = min(without - optional, default=math.inf)
    tail = {number for number in known if number >= core}
    if tail - without:
        raise SrlabError(
            f"Section {core} of {lab.stem} is not optional, so later sections may need it. "
            f"Pass --without {' '.join(map(str, sorted(tail | without)))}."
        )
    dropped = {f"section-{number}" for number in without}
    notebook, _ = TagRemovePreprocessor(remove_cell_tags=dropped).preprocess(notebook, {})
    write_atomic(out, (nbformat.writes(notebook) + "\n").encode())
    print(seen_from_here(out))
    return 0
