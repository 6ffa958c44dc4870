"""Trains one row: runs its lab by papermill, without the cells that only explore.

The Snakefile calls it: ``python -m studies.content_loss.train NOTEBOOK OUTPUT PARAMETERS`` (JSON). The run goes on
where an earlier call was stopped. What scoring needs of it is copied into a folder beside the executed notebook, which
gets its name last: where it is, the lab has run through and the copies are whole.
"""

import json
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.papermill import execute
from srlab.runs import Run


def main(notebook: str, output: str, parameters: str) -> None:
    """Run the lab, and leave the executed notebook as `output` (or as ``failed-...`` beside it) and the copies."""
    done, given = Path(output), json.loads(parameters)
    done.parent.mkdir(parents=True, exist_ok=True)
    part = done.with_name(f"failed-{done.name}")
    if not Path(notebook).is_file():
        raise SrlabError(f"There is no lab {notebook}; the study trains by running the labs of the course.")
    execute(Path(notebook), part, given, without="explore")
    keep(Run(Path(notebook).stem, given["run"]), given["iters"], done.with_suffix(""))
    part.replace(done)


def keep(run: Run, iters: int, folder: Path) -> None:
    """Copy the generators and the manifest of a run that is at the end of its row.

    Copied because the run may go on: a long SRGAN trains in the run folder of the short one.

    Parameters
    ----------
    run
        The run that the lab has trained.
    iters
        Steps of the row.
    folder
        Of the row, for the copies.

    Raises
    ------
    SrlabError
        The run has other steps than the row, and no copies were made when it had the same.
    """
    step, kept = (run.manifest() or {"step": 0})["step"], folder / "run.json"
    if step == iters:
        for file in (*run.path.glob("generator*.safetensors"), run.path / kept.name):
            write_atomic(folder / file.name, file.read_bytes())
    elif not kept.is_file() or json.loads(kept.read_text(encoding="utf-8"))["step"] != iters:
        raise SrlabError(
            f"{run.path} is at step {step}, but the row {folder.name} ends at step {iters}; delete the folder "
            f"{run.path} and run the study again."
        )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
