"""The checkpoint files of a run folder: the last two are kept, and the newest readable one is loaded."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from srlab import files
from srlab.devices import out_of_memory
from srlab.errors import SrlabError
from srlab.torch_files import read_torch
from srlab.training.log_rows import as_lines, parse_lines
from srlab.training.manifests import FORMAT, are_numbers, parse_manifest

KEPT = 2  # because the newest one may be damaged


def find_checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints in a run folder, oldest first."""
    return sorted(file for file in (run / "checkpoints").glob("*.pt") if file.stem.isdecimal())


def write_checkpoint(run: Path, state: dict[str, Any], where: str) -> None:
    """Write a checkpoint as one file, and delete all but the last ones.

    Parameters
    ----------
    run
        Run folder.
    state
        Has the entries ``step``, ``best`` (scores), ``manifest`` and ``log`` (rows), and contains only tensors,
        numbers, strings, lists and dicts.
    where
        What an error suggests if the folder can't be written, as in `srlab.files.open_atomic`.
    """
    log = torch.frombuffer(bytearray(as_lines(state["log"]), "utf-8"), dtype=torch.uint8) if state["log"] else None
    with files.open_atomic(run / "checkpoints" / f"{state['step']:09d}.pt", where) as file:
        torch.save(state | {"manifest": json.dumps(state["manifest"]), "log": log}, file)
    for old in find_checkpoints(run)[:-KEPT]:
        with suppress(OSError):  # the next write tries again
            files.patiently(old.unlink)


def read_newest_checkpoint(run: Path) -> dict[str, Any] | None:
    """Load the newest readable checkpoint of the last two on the CPU; return None if there are no checkpoints.

    Raises
    ------
    SrlabError
        No checkpoint can be read, or one may not be read.
    """
    found = find_checkpoints(run)[-KEPT:]  # a stranger's run may have thousands
    for file in reversed(found):
        try:
            return _read(file)
        except SrlabError as error:
            print(f"{error} Falling back to the previous checkpoint.")
        except PermissionError as error:
            raise SrlabError(f"No permission to read {file}. Change its permissions.") from error
    if found:
        raise SrlabError(f"No checkpoint in {run / 'checkpoints'} can be read. Move {run} away to start from scratch.")
    return None


def _read(file: Path) -> dict[str, Any]:
    """Load a checkpoint and check that it is complete, without executing anything in it."""
    try:
        if not file.is_file():
            raise ValueError("it is not a regular file")
        state = read_torch(file)
        state["manifest"] = parse_manifest(state["manifest"])
        if state["manifest"]["format"] == FORMAT:
            if not (type(state["step"]) is int and are_numbers(state["best"])):
                raise ValueError("its step or its best scores are damaged")
            state["log"] = [] if state["log"] is None else parse_lines(state["log"].numpy().tobytes().decode())
    except Exception as error:  # a damaged file can raise almost anything
        if out_of_memory(error) or isinstance(error, PermissionError):
            raise
        raise SrlabError(f"{file} is damaged or is not a checkpoint.") from error
    return state
