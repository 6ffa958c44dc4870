"""Trains one row, after giving its run the PSNR stage of another row where that is the same.

The Snakefile calls it: ``python -m studies.esrdgan_tricks.train NOTEBOOK OUTPUT PARAMETERS LEADER``, with the name of
the other run, or nothing. Lab 04 then finds the first stage done. It checks that the stage was made with the parameters
of this row, down to the patches and the seed, and refuses one that was not.
"""

import json
import sys
from pathlib import Path

from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.runs import Run
from studies import train


def main(notebook: str, output: str, parameters: str, leader: str = "") -> None:
    """Copy the PSNR stage of the leader, if there is one, and run the lab."""
    if leader:
        lab, name = Path(notebook).stem, json.loads(parameters)["run"]
        share(Run(lab, f"{leader}-psnr"), Run(lab, f"{name}-psnr"))
    train.main(notebook, output, parameters)


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
