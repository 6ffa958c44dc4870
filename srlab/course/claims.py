"""Check what a lab claims about its results: the files in ``notebooks/claims/``.

A file has one block for each cell that has claims, below a line ``# %% after ID``, where ID is the id of that cell. Its
code sees all that the lab has defined, and calls ``lab.expect("the claim", value, above=bound)``. A learner's notebook
has none of it; ``make labs`` and the tests set ``SRLAB_CLAIMS=1``, and the blocks are inserted into the copy that is
executed. With ``SRLAB_CLAIMS=record`` a false claim does not end the lab, so that ``make seeds`` measures all of them.
"""

import re

import nbformat
from nbformat import NotebookNode

from srlab import paths

BLOCK = re.compile(r"^# %% after (\S+)\n(.*?)(?=^# %% after |\Z)", re.MULTILINE | re.DOTALL)


def read_claims(lab: str) -> dict[str, str]:
    """The claims of a lab: id of a cell -> code that comes after it; empty for a lab without."""
    file = paths.recipes().parent / "claims" / f"{lab}.py"
    return dict(BLOCK.findall(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def insert_claims(notebook: NotebookNode, lab: str) -> None:
    """Put the claims of a lab into a notebook of it, each after its cell; those of a cell that is not there go.

    A block gets a copy of the lab's names, so that the lab computes the same with and without. It is skipped in a lab
    with settings, or on a device, for which the claims were not measured.
    """
    claims = read_claims(lab)
    for number, cell in reversed(list(enumerate(notebook.cells))):
        if cell.get("id") in claims:
            source = f"if lab.as_tried:\n    exec({claims[cell.id]!r}, dict(globals()))"
            checked = nbformat.v4.new_code_cell(source, metadata={"tags": ["check"]})
            notebook.cells.insert(number + 1, checked)
