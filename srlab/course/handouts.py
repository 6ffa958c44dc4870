"""``srlab handout`` and ``srlab short``: write the text of a lab for paper, or a lab without some of its sections."""

import argparse
import re

import nbformat
from nbconvert import HTMLExporter

from srlab import paths
from srlab.course.layout import seen_from_here
from srlab.course.notebooks import find_lab, read_notebook, tags_of
from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic

FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)  # answers, and what paper could not open
PAGE = "{% extends 'lab/index.html.j2' %}{% block html_head_js %}{% endblock %}"  # without require.js, for widgets


def add_handout(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab handout``."""
    parser.add_argument("lab", metavar="LAB", help="lab name, or a part of it, e.g. 03")
    parser.add_argument("--force", action="store_true", help="overwrite the handout of an earlier call")
    parser.set_defaults(command=handout)


def handout(options: argparse.Namespace) -> int:
    """Write the text of a lab as an HTML page with its pictures, and print the path.

    Code, outputs, and everything that is folded, such as answers, are left out.
    """
    lab = find_lab(options.lab)
    out = paths.runs_home() / "handouts" / f"{lab.stem}.html"
    refuse_existing(out, options.force)
    notebook = read_notebook(lab)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        cell.source = FOLDED.sub("", cell.source)
    place = {"metadata": {"name": lab.stem, "path": str(lab.parent)}}  # the title, and the folder of the pictures
    page, _ = HTMLExporter(raw_template=PAGE, embed_images=True).from_notebook_node(notebook, place)
    write_atomic(out, page.encode())
    print(seen_from_here(out))
    return 0


def add_short(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab short``."""
    parser.add_argument("lab", metavar="LAB", help="lab name, or a part of it, e.g. 03")
    parser.add_argument("--without", metavar="N", type=int, nargs="+", required=True, help="numbers of the sections")
    parser.add_argument("--force", action="store_true", help="overwrite the copy of an earlier call")
    parser.set_defaults(command=short)


def short(options: argparse.Namespace) -> int:
    """Write a copy of a lab without some sections next to the lab, where its pictures are, and print the path."""
    lab = find_lab(options.lab)
    out = lab.with_suffix(".short.ipynb")
    refuse_existing(out, options.force)
    notebook = read_notebook(lab)
    dropped = {f"section-{number}": number for number in options.without}
    known = {tag for cell in notebook.cells for tag in tags_of(cell)}
    if unknown := [number for tag, number in dropped.items() if tag not in known]:
        raise SrlabError(f"{lab.stem} has no section {unknown[0]}. Pass numbers from the headings of the lab.")
    notebook.cells = [cell for cell in notebook.cells if not dropped.keys() & {*tags_of(cell)}]
    write_atomic(out, (nbformat.writes(notebook) + "\n").encode())
    print(seen_from_here(out))
    return 0
