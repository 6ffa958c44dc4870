"""Claims that a lab's text makes about its results, stored in ``notebooks/claims/``.

A file has one block per cell with claims, after a line ``# %% after ID`` with the id of the cell. The code can use all
variables of the lab, and calls ``lab.expect("the claim", value, above=bound)``. A student's notebook contains no
claims. ``make labs`` and the tests set ``SRLAB_CLAIMS=1``, which inserts the blocks into the copy that is executed.
With ``SRLAB_CLAIMS=record`` a false claim does not stop the lab, so ``make seeds`` can measure all claims.
"""

import re

from srlab import paths
from srlab_course.notebook_files.editable import NotebookNode, code_cell

BLOCK = re.compile(r"^# %% after (\S+)\n(.*?)(?=^# %% after |\Z)", re.MULTILINE | re.DOTALL)


def read_claims(lab: str) -> dict[str, str]:
    """Return the claims of a lab: cell id -> code to run after this cell."""
    file = paths.recipes().parent / "claims" / f"{lab}.py"
    return dict(BLOCK.findall(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def insert_claims(notebook: NotebookNode, lab: str) -> None:
    """Insert the claims of a lab into its notebook, each after its cell; claims about missing cells are dropped.

    A block runs in a copy of the lab's variables, so it cannot change what the lab computes. It is skipped if the
    claims were not measured with the lab's settings or on its device.
    """
    claims = read_claims(lab)
    for number, cell in reversed(list(enumerate(notebook.cells))):
        if cell.get("id") in claims:
            source = f"if lab.is_reference_config:\n    exec({claims[cell.id]!r}, dict(globals()))"
            checked = code_cell(source, tags=["check"])
            notebook.cells.insert(number + 1, checked)
