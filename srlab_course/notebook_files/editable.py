"""Read, change and write a notebook as an object of nbformat, which ruff lets only this module and tests import."""

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from srlab.errors import SrlabError
from srlab_course.notebook_files.finding import NOT_VALID, read_saved

__all__ = [
    "NotebookNode",
    "code_cell",
    "markdown_cell",
    "new_notebook",
    "read_notebook",
    "to_text",
    "write_notebook",
]


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of format 4."""
    try:
        return nbformat.v4.to_notebook_json(read_saved(path))
    except (TypeError, AttributeError) as error:  # such as attachments that are a number
        raise SrlabError(NOT_VALID.format(path)) from error


def to_text(notebook: NotebookNode) -> str:
    """Return the content of the file of a notebook."""
    return nbformat.writes(notebook) + "\n"


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, also over another file, but not atomically."""
    path.write_text(to_text(notebook), encoding="utf-8")


def code_cell(source: str, tags: Sequence[str] = ()) -> NotebookNode:
    """Return a new code cell."""
    return nbformat.v4.new_code_cell(source, metadata=NotebookNode({"tags": [*tags]} if tags else {}))


def markdown_cell(source: str) -> NotebookNode:
    """Return a new cell with text."""
    return nbformat.v4.new_markdown_cell(source)


def new_notebook(cells: Sequence[NotebookNode]) -> NotebookNode:
    """Return a new notebook."""
    return nbformat.v4.new_notebook(cells=[*cells])
