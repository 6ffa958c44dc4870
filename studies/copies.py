"""What a row leaves for scoring: copies of its generators and of its run's manifest, beside the executed notebook."""

import json
from pathlib import Path
from typing import Any

from srlab.base.errors import SrlabError
from srlab.base.files import write_atomic
from srlab.training.runs import Run


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


def read_manifest(folder: Path, iters: int) -> dict[str, Any]:
    """Manifest among the copies of a row.

    Parameters
    ----------
    folder
        Where `keep` put them.
    iters
        Steps of the row.

    Raises
    ------
    SrlabError
        There are no copies, or they are of another step than the row.
    """
    manifest = Run("", folder.name, folder).manifest()
    if manifest is None:
        raise SrlabError(
            f"There is no {folder / 'run.json'}; delete {folder}.ipynb and run the study again, which makes it."
        )
    if manifest["step"] != iters:
        raise SrlabError(
            f"{folder} was copied at step {manifest['step']}, but the row is about step {iters}; "
            f"delete {folder}.ipynb and run the study again."
        )
    return manifest


def backbone_of(manifest: dict[str, Any], layers: str) -> tuple[str, bool | None]:
    """How a table names the features of a run, and whether they were trained; nothing for a row without features."""
    if not layers:
        return "no features", None
    made = manifest["parameters"].get("features", {})
    if made.get("layers") != layers or "weights" not in made:
        raise SrlabError(f"The run {manifest.get('name')} does not say that its features were {layers}.")
    real = not made["weights"].startswith("random")
    note = made["weights"] if real else "random"
    return f"{layers} ({note}{'' if made.get('normalize', True) else ', not normalised'})", real
