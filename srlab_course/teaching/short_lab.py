"""``srlab short``: write a lab without some of its sections."""

import argparse
from collections.abc import Iterable

import nbformat
from nbconvert.preprocessors import TagRemovePreprocessor

from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.finding import find_lab, tags_of
from srlab_course.notebook_files.validated import read_notebook

# Lab -> section -> the sections that do not run without it. tests/labs/test_sections.py runs each lab without them.
NEEDED_BY: dict[str, dict[int, tuple[int, ...]]] = {
    "01_srresnet": {1: (3, 4, 5, 6, 7, 8), 2: (5,), 3: (4, 5, 6, 7, 8), 4: (5, 7)},
    "02_content_loss": {
        2: (3, 4, 5, 6, 7, 8, 9),
        3: (6, 7, 9),
        4: (5, 6, 7, 8, 9),
        5: (6, 7, 9),
        6: (7, 9),
        7: (9,),
    },
    "03_srgan": {
        1: (2, 3, 5, 6, 7, 8, 9, 10),
        2: (3, 5, 6, 7, 8, 9, 10),
        3: (5, 6, 7, 8, 9, 10),
        4: (5, 6, 7, 8, 10),
        5: (6, 7, 8, 10),
    },
    "04_esrgan": {
        1: (2, 4, 5, 6, 7, 8, 9),
        2: (5, 9),
        3: (4, 5, 6, 7, 8, 9),
        4: (5, 6, 7, 8, 9),
        5: (9,),
        7: (8,),
    },
    "05_evaluation": {1: (2, 3, 4, 5, 6, 7, 8), 3: (6, 7), 4: (6,)},
    "06_flow": {
        1: (2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
        3: (5, 6, 7, 9, 11),
        4: (5, 6, 7, 9, 10),
        5: (6, 7, 9),
    },
    "07_one_step": {1: (2, 3, 4, 5, 6), 2: (6,), 3: (4, 5), 4: (5,)},
}


def short(options: argparse.Namespace) -> int:
    """Write a copy of a lab without some sections next to the lab, where its pictures are, and print the path."""
    lab = find_lab(options.lab)
    out = lab.with_suffix(".short.ipynb")
    refuse_existing(out, options.force)
    notebook = read_notebook(lab)
    known = {tag for cell in notebook.cells for tag in tags_of(cell)}
    if unknown := [number for number in options.without if f"section-{number}" not in known]:
        raise SrlabError(f"{lab.stem} has no section {unknown[0]}. Pass numbers from the headings of the lab.")
    all_dropped = with_later(lab.stem, options.without)
    if broken := sorted(all_dropped - {*options.without}):
        raise SrlabError(
            f"{lab.stem} cannot run these sections without one that you drop: {', '.join(map(str, broken))}. "
            f"Pass --without {' '.join(map(str, sorted(all_dropped)))}."
        )
    dropped = {f"section-{number}" for number in options.without}
    notebook, _ = TagRemovePreprocessor(remove_cell_tags=dropped).preprocess(notebook, {})
    write_atomic(out, (nbformat.writes(notebook) + "\n").encode())
    print(seen_from_here(out))
    return 0


def with_later(lab: str, sections: Iterable[int]) -> set[int]:
    """Return sections of a lab, and those that do not run without them."""
    needed_by = NEEDED_BY.get(lab, {})
    return {*sections} | {later for section in sections for later in needed_by.get(section, ())}
