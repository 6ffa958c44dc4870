"""``srlab short``: write a lab without optional sections, or without all sections from one on.

Labs run from top to bottom, so what is left runs. An optional section that needs another has the tags of both.
"""

import argparse
import math
import re

from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab.text import printable
from srlab_course.layout import in_lines, seen_from_here
from srlab_course.notebook_files.editable import NotebookNode, read_notebook, to_text
from srlab_course.notebook_files.finding import find_lab, tags_of

SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n(?=[-|#])")  # between two sentences, paragraphs or rows
NUMBERS = re.compile(r"(?<![\d.])([1-9]\d*)(?: to (\d+))?(?!\.?\d)")  # 7, or 4 to 7, but not 3.1 or lab 07


def short(options: argparse.Namespace) -> int:
    """Write a copy of a lab without some sections next to the lab, where its pictures are, and print the path.

    Also print the sentences left that mention a dropped section.
    """
    lab = find_lab(options.lab)
    out = lab.with_suffix(".short.ipynb")
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
    refuse_existing(out, options.force)
    dropped = {f"section-{number}" for number in without}
    notebook.cells = [cell for cell in notebook.cells if dropped.isdisjoint(tags_of(cell))]
    write_atomic(out, to_text(notebook).encode(), replace=options.force)
    print(seen_from_here(out))
    if found := mentions(notebook, without):
        print("These sentences mention a section that was dropped. Edit them:")
        print("\n".join(in_lines("- ", printable(sentence)) for sentence in found))
    return 0


def mentions(notebook: NotebookNode, sections: set[int]) -> list[str]:
    """Return the sentences of a notebook that mention one of some sections."""
    found = []
    for cell in notebook.cells:
        for sentence in SENTENCE.split(cell.source) if cell.cell_type == "markdown" else ():
            ends = [(int(first), int(last or first)) for first, last in NUMBERS.findall(sentence)]
            if "section" in sentence.lower() and any(a <= section <= b for a, b in ends for section in sections):
                found.append(" ".join(sentence.split()).removeprefix("- "))
    return found
