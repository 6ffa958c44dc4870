"""Trains one row: runs its lab by papermill, without the cells that only explore.

The Snakefile calls it: ``python -m studies.content_loss.train NOTEBOOK OUTPUT PARAMETERS`` (JSON). The run goes on
where an earlier call was stopped, and the executed notebook gets its name only when the lab has run through.
"""

import json
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab.papermill import execute


def main(notebook: str, output: str, parameters: str) -> None:
    """Run the lab, and leave the executed notebook as `output` (or as ``failed-...`` beside it)."""
    done = Path(output)
    done.parent.mkdir(parents=True, exist_ok=True)
    part = done.with_name(f"failed-{done.name}")
    if not Path(notebook).is_file():
        raise SrlabError(f"There is no lab {notebook}; the study trains by running the labs of the course.")
    execute(Path(notebook), part, json.loads(parameters), without="explore")
    part.replace(done)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
