"""Store tensors with notes as safetensors files."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from srlab.errors import SrlabError
from srlab.files import write_atomic

# Of tensors; torch can do little with others, such as float4.
KINDS = {torch.float64, torch.float32, torch.float16, torch.bfloat16}
KINDS |= {torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool}


def write_safetensors(path: Path, tensors: dict[str, torch.Tensor], notes: dict[str, Any], where: str = "") -> None:
    """Write tensors and JSON-serializable notes to a safetensors file, atomically; equal content gives equal bytes."""
    # Store all notes under one key, because the file's header would order several keys at random.
    # Clone, because a layer that a network uses twice has two names, and safetensors rejects shared memory.
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    metadata = {"srlab": json.dumps(notes, sort_keys=True)}
    write_atomic(path, save(tensors, metadata), where)


def is_safetensors(path: Path) -> bool:
    """Return whether a file's content is in the safetensors format, whatever its name: a length, then JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read tensors and notes from a safetensors file; a file written by another program has no notes."""
    if not path.is_file():
        raise SrlabError(f"Weights file {path} not found. Run the lab that creates it first.")
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {}).get("srlab", "{}"))
            if not isinstance(notes, dict):
                raise ValueError("its notes are not a dictionary")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        if odd := {value.dtype for value in tensors.values()} - KINDS:
            raise ValueError(f"it contains {', '.join(sorted(map(str, odd)))}")
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:  # the last one only in malicious files
        raise SrlabError(f"The weights file {path} is damaged or truncated ({error}). Replace it.") from error
    return tensors, notes


def all_finite(values: dict[str, Any]) -> bool:
    """Return whether no floating-point tensor of a state dict contains NaN or infinity."""
    tensors = (value for value in values.values() if isinstance(value, torch.Tensor))
    return all(bool(value.isfinite().all()) for value in tensors if value.is_floating_point())
