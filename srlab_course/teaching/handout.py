"""``srlab handout``: write the text of a lab for paper."""

import argparse
import re

from nbconvert import HTMLExporter

from srlab import paths
from srlab.files import refuse_existing, write_atomic
from srlab_course.layout import seen_from_here
from srlab_course.notebook_files.editable import read_notebook
from srlab_course.notebook_files.finding import find_lab

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
