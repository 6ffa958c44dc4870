"""Read a notebook as an object of nbformat, to change, execute or write it."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from srlab_course.notebook_files.finding import read_saved


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of format 4."""
    return nbformat.v4.to_notebook_json(read_saved(path))
