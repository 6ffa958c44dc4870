"""Clean the committed notebooks: run the labs, keep the outputs that tests compare, and remove all others.

Run it after editing a lab: ``make clean-notebooks``.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat

from srlab_course.notebook_files.execute import execute
from srlab_course.notebook_files.finding import find_notebooks

KEPT = {"nbval-check-output", "keep_output"}
KEPT_METADATA = ("tags", "slideshow")  # the second begins a slide at each heading
FOLDED = {"colab", "hide-input"}  # JupyterLab shows a bar instead; only the book needs the last tag


def refresh(notebook: Path, executed: Path) -> None:
    """Copy the outputs to keep from the executed notebook into the committed one, cell by cell."""
    clean, done = nbformat.read(notebook, 4), nbformat.read(executed, 4)
    outputs = {cell.id: cell for cell in done.cells}
    for cell in clean.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT_METADATA and value}
        if FOLDED & set(cell.metadata.get("tags", [])):
            cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type == "code":
            keep = set(cell.metadata.get("tags", [])) >= KEPT
            cell.outputs = outputs[cell.id].outputs if keep else []
            cell.execution_count = outputs[cell.id].execution_count if keep else None
    clean.metadata = {"kernelspec": clean.metadata.kernelspec, "language_info": {"name": "python"}}
    nbformat.write(clean, notebook)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SRLAB_HOME"] = folder
        for notebook in find_notebooks():
            if len(sys.argv) > 1 and notebook.stem not in sys.argv[1:]:
                continue
            executed = Path(folder) / notebook.name
            execute(notebook, executed, {"recipe": "smoke"})
            refresh(notebook, executed)
            print(f"{notebook.name} is clean")
