"""Read notebooks with nbformat, which validates them."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from srlab.errors import SrlabError
from srlab_course.notebook_files.finding import NOT_VALID, read_json


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of format 4."""
    content = read_json(path)
    try:
        # Validate first, because nbformat's conversion trusts its input. Validate as 4.4, because notebooks before 4.5
        # have no cell ids, and Colab writes the minor version 0.
        validator = nbformat.validator.get_validator(4, 4, relax_add_props=True)
        validator.validate(content | {"nbformat_minor": 4})
        return nbformat.v4.to_notebook_json(content)
    except (ValueError, TypeError, RecursionError, nbformat.ValidationError) as error:  # RecursionError: deep nesting
        raise SrlabError(NOT_VALID.format(path)) from error
