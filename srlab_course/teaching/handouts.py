"""``srlab handout`` and ``srlab short``: write the text of a lab for paper, or a lab without some of its sections."""

import argparse
import ast
import re
import symtable

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from srlab import paths
from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab_course.layout import seen_from_here
from srlab_course.notebooks.finding import find_lab, tags_of
from srlab_course.notebooks.marks import parse_cell
from srlab_course.notebooks.validated import read_notebook

FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)  # answers, and what paper could not open
PAGE = "{% extends 'lab/index.html.j2' %}{% block html_head_js %}{% endblock %}"  # without require.js, for widgets


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
    kept = [cell for cell in notebook.cells if not dropped.keys() & {*tags_of(cell)}]
    if not options.force and (lost := _lost_names(notebook.cells, kept)):
        raise SrlabError(
            f"Other sections of {lab.stem} need {', '.join(sorted(lost))} from the sections that you leave out. "
            "docs/teaching.md lists which sections can be left out together. --force writes the copy anyway."
        )
    notebook.cells = kept
    write_atomic(out, (nbformat.writes(notebook) + "\n").encode())
    print(seen_from_here(out))
    return 0


def _lost_names(cells: list[NotebookNode], kept: list[NotebookNode]) -> set[str]:
    """Return the names that kept cells use, and that only the other cells define."""
    names = {id(cell): _names_of(cell.source) for cell in cells if cell.cell_type == "code"}
    there = [names[id(cell)] for cell in kept if id(cell) in names]
    used = set().union(*(used - defined for defined, used in there))
    return used & set().union(*(defined for defined, _ in names.values())) - set().union(
        *(defined for defined, _ in there)
    )


def _names_of(source: str) -> tuple[set[str], set[str]]:
    """Return the global names that a cell defines, and those that it uses, also in its functions."""
    module = symtable.symtable(ast.unparse(parse_cell(source)), "cell", "exec")
    bound = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    used, scopes = {s.get_name() for s in module.get_symbols() if s.is_referenced()}, [*module.get_children()]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        used |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
    return bound, used
