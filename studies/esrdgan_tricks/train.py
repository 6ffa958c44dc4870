"""Trains one row, after giving its run the PSNR stage of another row where that is the same.

The Snakefile calls it: ``python -m studies.esrdgan_tricks.train NOTEBOOK OUTPUT PARAMETERS LEADER``, with the name of
the other run, or nothing. Lab 04 then finds the first stage done. It checks that the stage was made with the parameters
of this row, down to the patches and the seed, and refuses one that was not.

A trick may make the second stage run away. That is an answer too, so such a row ends as lost, with a note that says
why, and the report goes on without it.
"""

import json
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.runs import Run
from studies import train

LOST = "lost.txt"  # among the copies of a row: why there are none


def main(notebook: str, output: str, parameters: str, leader: str = "") -> None:
    """Copy the PSNR stage of the leader, if there is one, and run the lab."""
    run = Run(Path(notebook).stem, json.loads(parameters)["run"])
    note = Path(output).with_suffix("") / LOST
    note.unlink(missing_ok=True)
    if leader:
        share(Run(run.lab, f"{leader}-psnr"), Run(run.lab, f"{run.name}-psnr"))
    try:
        train.main(notebook, output, parameters)
    except SrlabError as error:
        if (run.manifest() or {}).get("state") != "failed":  # a fault of another kind than training itself
            raise
        write_atomic(note, str(error).encode())
        train.failed(Path(output)).replace(output)
        print(f"This row ran away and has no scores: {error}")


def share(source: Run, target: Run) -> None:
    """Copy a finished run under another name; one that has begun is left as it is.

    The manifest is written last, because it is what makes the folder a run.

    Raises
    ------
    SrlabError
        The run to be copied is not finished.
    """
    manifest = source.manifest()
    if manifest is None or manifest.get("state") != "finished":
        raise SrlabError(f"{source.path} is no finished run; delete the notebook of its row and run the study again.")
    with target.lock():
        if target.manifest() is not None:
            return
        state = source.path / "state" / f"{source.trained_steps():09d}.safetensors"
        for file in (state, *source.path.glob("generator*.safetensors"), source.path / "metrics.jsonl"):
            write_atomic(target.path / file.relative_to(source.path), file.read_bytes())
        target.update(manifest | {"name": target.name, "copied_from": source.name})


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
