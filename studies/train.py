"""Train one row of a study: run its lab with papermill, without the cells tagged ``not-in-studies``.

The Snakefile calls ``python -m studies.train NOTEBOOK OUTPUT PARAMETERS CELLS``; the last two are JSON, see
`studies.presets.Job`. The executed notebook shows the added cells. A stopped run resumes. The files for scoring are
copied into a folder next to the executed notebook, which is renamed last: if it has its final name, the lab is complete
and so are the copies. A training run that breaks down is a result too: its row gets a note instead of the copies, and
the report continues without it.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.training.runs import Run
from srlab_course.notebook_files.editable import code_cell, read_notebook, write_notebook
from srlab_course.notebook_files.execute import execute

LOST = "lost.txt"  # in the folder of a row's copies: why there are none


def main(notebook: str, output: str, parameters: str, cells: str) -> None:
    """Run the lab, and write the copies and the executed notebook (as ``failed-...`` if the lab fails)."""
    done, given = Path(output), json.loads(parameters)
    folder, part, run = done.with_suffix(""), failed(done), Run(Path(notebook).stem, given["run"])
    folder.mkdir(parents=True, exist_ok=True)
    if not Path(notebook).is_file():
        raise SrlabError(f"Lab not found: {notebook}. The study trains by running the labs of the course.")
    os.environ.pop("SRLAB_CLAIMS", None)  # claims also use results of these cells
    (folder / LOST).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        lab = with_cells(Path(notebook), json.loads(cells), Path(scratch))
        try:
            execute(lab, part, given, without="not-in-studies")
        except SrlabError as error:
            if not (manifest := run.manifest()) or manifest["status"] != "failed":  # not a fault of the training run
                raise
            write_atomic(folder / LOST, str(error).encode())
            print(f"This row broke down and has no scores: {error}")
        else:
            keep(run, given["iters"], folder)
    part.replace(done)


def with_cells(notebook: Path, cells: dict[str, str], folder: Path) -> Path:
    """Copy a lab into a folder, with code in new cells: id of a cell of the lab -> code that runs after it."""
    lab = read_notebook(notebook)
    for after, code in cells.items():
        ids = [cell.get("id") for cell in lab.cells]
        if after not in ids:
            raise SrlabError(f"{notebook} has no cell {after}, after which the study adds code. Correct the study.")
        lab.cells.insert(ids.index(after) + 1, code_cell(code))
    write_notebook(lab, folder / notebook.name)
    return folder / notebook.name


def failed(output: Path) -> Path:
    """Return the name of an executed notebook that is not complete."""
    return output.with_name(f"failed-{output.name}")


def keep(run: Run, iters: int, folder: Path) -> None:
    """Copy the generator and the manifest of a run that is at the last step of its row.

    They are copied because the run may continue: a long SRGAN trains in the run folder of the short one.
    """
    step, kept = (run.manifest() or {"step": 0})["step"], folder / "run.json"
    if step == iters:
        for name in ("generator.safetensors", kept.name):
            write_atomic(folder / name, (run.path / name).read_bytes())
    elif not kept.is_file() or json.loads(kept.read_text(encoding="utf-8"))["step"] != iters:
        raise SrlabError(
            f"{run.path} is at step {step}, but the row {folder.name} ends at step {iters}. Delete the folder "
            f"{run.path} and run the study again."
        )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
