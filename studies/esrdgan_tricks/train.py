"""Trains one row, as ``studies.train`` does: ``python -m studies.esrdgan_tricks.train NOTEBOOK OUTPUT PARAMETERS``.

A trick may make the second stage run away. That is an answer too, so such a row ends as lost, with a note that says
why, and the report goes on without it.
"""

import json
import sys
from pathlib import Path

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic
from srlab.training.runs import Run
from studies import train

LOST = "lost.txt"  # among the copies of a row: why there are none


def main(notebook: str, output: str, parameters: str) -> None:
    """Run the lab, and where its training breaks down leave a note instead of the copies."""
    run = Run(Path(notebook).stem, json.loads(parameters)["run"])
    note = Path(output).with_suffix("") / LOST
    note.unlink(missing_ok=True)
    try:
        train.main(notebook, output, parameters)
    except SrlabError as error:
        if (run.manifest() or {}).get("state") != "failed":  # a fault of another kind than training itself
            raise
        write_atomic(note, str(error).encode())
        train.failed(Path(output)).replace(output)
        print(f"This row ran away and has no scores: {error}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
