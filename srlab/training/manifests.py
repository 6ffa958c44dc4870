"""Manifests of training runs: ``run.json``, and its copy in each checkpoint, both as JSON.

`Manifest` and its parts declare each entry once: what is read is checked against them, and mypy checks the names of
entries in all code that writes or reads them. So rename an entry here, and run ``python -m mypy``. Read entries with
brackets, because mypy accepts any name in ``get``.
"""

import json
from collections.abc import Collection
from typing import Any, NotRequired, TypedDict, get_args, get_origin, get_type_hints

FORMAT = 4  # version of the run folder, to raise if a key is renamed; folders of other versions are left untouched


class LabNotes(TypedDict, total=False):
    """What a lab adds to a manifest: all of these entries or none, see `srlab_course.lab.lab.Lab.trainer_kwargs`."""

    lab_run: str
    recipe: str
    changed: dict[str, Any]
    steps: dict[str, int]


class Environment(TypedDict, total=False):
    """With which software a run was made."""

    versions: dict[str, str]
    platform: str
    git: str | None


class Facts(Environment):
    """How the newest steps were made. It may change when a run is resumed."""

    precision: str
    code_of_step: str
    device: NotRequired[str]
    compiled: NotRequired[str]


STATUSES = ("running", "stopped", "finished", "failed")


class Manifest(LabNotes, Facts):
    """The entries of a manifest; code that reads another entry declares it here."""

    format: int
    lab: str
    name: str
    parameters: dict[str, Any]  # what determines the result, see `MADE_WITH`
    step: int
    schedule_total: int
    status: str  # one of `STATUSES`
    failure: str  # why it failed, or ""
    started: str
    wall_time_s: float
    continued: list[dict[str, int]]
    metrics: dict[str, float]  # newest values of the log
    recorded: NotRequired[bool]
    peak_memory_mib: NotRequired[float]


# Entry of the parameters -> its type, or a dict with the entries that it must have.
IMAGES = {"name": str, "count": int, "fingerprint": str}
MADE_WITH = {"generator": {"network": str}, "sampler": dict}
OF_PAIRS = {"images": IMAGES, "degradation": dict}  # of a sampler; one that repeats what a teacher drew has neither
OPTIONAL_PARAMETERS = {"weights": dict, "start": str, "subject": str, "code": str | None, "teacher": str}


def parse_manifest(text: str) -> Manifest:
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
        required = Manifest.__required_keys__ | (LabNotes.__optional_keys__ if "lab_run" in manifest else set())
        _check(manifest, KINDS, required)
        _check(manifest["parameters"], MADE_WITH | OPTIONAL_PARAMETERS, MADE_WITH.keys())
        _check(manifest["parameters"]["sampler"], OF_PAIRS, ())
        if manifest["status"] not in STATUSES:
            raise ValueError("its status is unknown")
        if not (are_numbers(manifest["metrics"]) and are_numbers(manifest.get("steps", {}), int)):
            raise ValueError("its metrics or steps are not numbers")
    return manifest


def are_numbers(row: dict[str, Any], kind: Any = int | float) -> bool:
    """Return whether all values are numbers that fit into 64 bits, as each one does that srlab writes."""
    return all(_fits(one, kind) for one in row.values())


def _check(entries: dict[str, Any], kinds: dict[str, Any], required: Collection[str]) -> None:
    """Raise a ValueError that names the first entry that is missing or has another type."""
    asked = {name: kind for name, kind in kinds.items() if name in entries or name in required}
    if wrong := [name for name, kind in asked.items() if not _fits(entries.get(name), kind)]:
        raise ValueError(f"its {wrong[0]} is missing or damaged")


def _kind(hint: Any) -> Any:
    """Return what `isinstance` accepts for the type of an entry: ``dict`` for ``dict[str, int]``."""
    if get_origin(hint) is NotRequired:
        return _kind(get_args(hint)[0])
    return int | float if hint is float else get_origin(hint) if get_origin(hint) in (dict, list) else hint


KINDS = {name: _kind(hint) for name, hint in get_type_hints(Manifest, include_extras=True).items()}


def _fits(entry: Any, kind: Any) -> bool:
    """Return whether an entry has a type, or all entries of a dict of types. Whole numbers must fit into 64 bits."""
    if isinstance(kind, dict):
        return isinstance(entry, dict) and all(_fits(entry.get(name), one) for name, one in kind.items())
    return isinstance(entry, kind) and not (isinstance(entry, int) and entry.bit_length() > 63)
