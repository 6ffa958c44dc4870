"""``srlab handout`` and ``srlab short``: write the text of a lab for paper, or a lab without some of its sections."""

import argparse
import re

import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import TagRemovePreprocessor

from srlab import paths
from srlab.errors import SrlabError
from srlab.files import refuse_existing, write_atomic
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.finding import find_lab, tags_of
from srlab_course.notebook_files.validated import read_notebook

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
    for cell in notebook.cells:
        cell.source = FOLDED.sub("", cell.source)
        for name, picture in cell.get("attachments", {}).items():  # nbconvert does not find them in HTML
            kind, data = next(iter(picture.items()))
            cell.source = cell.source.replace(f"attachment:{name}", f"data:{kind};base64,{data}")
    place = {"metadata": {"name": lab.stem, "path": str(lab.parent)}}  # the title, and the folder of the pictures
    exporter = HTMLExporter(raw_template=PAGE, exclude_code_cell=True, exclude_raw=True, embed_images=True)
    page, _ = exporter.from_notebook_node(notebook, place)
    write_atomic(out, page.encode())
    print(seen_from_here(out))
    return 0


def short(options: argparse.Namespace) -> int:
    """Write a copy of a lab without some sections next to the lab, where its pictures are, and print the path."""
    lab = find_lab(options.lab)
    out = lab.with_suffix(".short.ipynb")
    refuse_existing(out, options.force)
    notebook = read_notebook(lab)
    known = {tag for cell in notebook.cells for tag in tags_of(cell)}
    if unknown := [number for number in options.without if f"section-{number}" not in known]:
        raise SrlabError(f"{lab.stem} has no section {unknown[0]}. Pass numbers from the headings of the lab.")
    dropped = {f"section-{number}" for number in options.without}
    notebook, _ = TagRemovePreprocessor(remove_cell_tags=dropped).preprocess(notebook, {})
    write_atomic(out, (nbformat.writes(notebook) + "\n").encode())
    print(seen_from_here(out))
    return 0
