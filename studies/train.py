"""Trains one row of a study: runs its lab by papermill, without the cells that only explore.

A Snakefile calls it: ``python -m studies.train NOTEBOOK OUTPUT PARAMETERS`` (JSON). The run goes on where an earlier
call was stopped. What scoring needs of it is copied into a folder beside the executed notebook, which gets its name
last: where it is, the lab has run through and the copies are whole.
"""

import json
import os
import sys
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.course.execute import execute
from srlab.training.runs import Run

from .copies import keep


def main(notebook: str, output: str, parameters: str) -> None:
    """Run the lab, and leave the executed notebook as `output` (or as ``failed-...`` beside it) and the copies."""
    done, given = Path(output), json.loads(parameters)
    done.parent.mkdir(parents=True, exist_ok=True)
    part = failed(done)
    if not Path(notebook).is_file():
        raise SrlabError(f"There is no lab {notebook}; the study trains by running the labs of the course.")
    os.environ.pop("SRLAB_CLAIMS", None)  # they are about a whole lab, and look at what it explores
    execute(Path(notebook), part, given, without="explore")
    keep(Run(Path(notebook).stem, given["run"]), given["iters"], done.with_suffix(""))
    part.replace(done)


def failed(output: Path) -> Path:
    """Name of an executed notebook that has not got through."""
    return output.with_name(f"failed-{output.name}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
