"""Manifests of training runs: ``run.json``, and its copy in each checkpoint, both as JSON."""

import json
from typing import Any

FORMAT = 3  # version of the run folder; folders of other versions are left untouched
# Entry -> its type, or a dict with the entries that it must have: what other code reads. These are in each manifest,
IMAGES = {"name": str, "count": int, "fingerprint": str}
MADE_WITH = {"generator": {"network": str}, "sampler": {"images": IMAGES, "degradation": dict}}
ENTRIES = {"format": int, "lab": str, "name": str, "parameters": MADE_WITH, "step": int, "schedule_total": int}
ENTRIES |= {"status": str, "started": str, "wall_time_s": int | float, "continued": list}
ENTRIES |= {"precision": str, "code_of_step": str}
OF_LABS = {"lab_run": str, "recipe": str, "changed": dict, "steps": dict}  # these in each manifest of a lab,
OPTIONAL = {"failure": str, "metrics": dict}  # and these in some
OPTIONAL_PARAMETERS = {"weights": dict, "start": str, "subject": str, "code": str | None, "teacher": str}


def parse_manifest(text: str) -> dict[str, Any]:
    """Return a manifest whose entries are all there, each of its type, or one of another format, unchecked.

    Raises
    ------
    ValueError, TypeError, RecursionError
        It is neither; only malicious files raise the last two.
    """
    manifest = json.loads(text)
    if not _fits(manifest, {"format": int, "lab": str}):
        raise ValueError("it has no format or no lab")
    if manifest["format"] == FORMAT:
        _check(manifest, ENTRIES | (OF_LABS if "lab_run" in manifest else {}), OPTIONAL)
        _check(manifest["parameters"], {}, OPTIONAL_PARAMETERS)
        if not (are_numbers(manifest.get("metrics", {})) and are_numbers(manifest.get("steps", {}), int)):
            raise ValueError("its metrics or steps are not numbers")
    return manifest


def are_numbers(row: dict[str, Any], kind: Any = int | float) -> bool:
    """Return whether all values are numbers that fit into 64 bits, as each one does that srlab writes."""
    return all(_fits(one, kind) for one in row.values())


def _check(entries: dict[str, Any], required: dict[str, Any], optional: dict[str, Any]) -> None:
    """Raise a ValueError that names the first entry that is missing or has another type."""
    kinds = required | {name: kind for name, kind in optional.items() if name in entries}
    if wrong := [name for name, kind in kinds.items() if not _fits(entries.get(name), kind)]:
        raise ValueError(f"its {wrong[0]} is missing or damaged")


def _fits(entry: Any, kind: Any) -> bool:
    """Return whether an entry has a type, or all entries of a dict of types. Whole numbers must fit into 64 bits."""
    if isinstance(kind, dict):
        return isinstance(entry, dict) and all(_fits(entry.get(name), one) for name, one in kind.items())
    return isinstance(entry, kind) and not (isinstance(entry, int) and entry.bit_length() > 63)
