"""Names of runs: the same parameters give the same name, and different parameters give different names."""

import hashlib
import re
from pathlib import Path
from typing import Any

from srlab import paths
from srlab.data.datasets import PHOTOS, ImageSet
from srlab.errors import SrlabError

# Changes not in a name: recipe and steps are in it anyway, and the others do not affect the weights.
NOT_IN_NAME = {"iters", "run", "recipe", "device", "precision", "compiled", "photo", "benchmark"}
LONGEST = 100  # letters of a name, which leaves space for the suffixes of side runs


def changes(defaults: dict[str, Any], given: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the changed parameters that affect training.

    `given` are the values as typed, and `values` the values after the recipe was applied.
    """
    unused = {"subject"} if given.get("images") or given.get("validation") else set()
    names = given.keys() - NOT_IN_NAME - unused
    return {name: values[name] for name, value in given.items() if name in names and value != defaults[name]}


def name_run(recipe: str, iters: int, changed: dict[str, Any], train_set: ImageSet, unseen: ImageSet) -> str:
    """Return a name such as ``default``, ``gpu-100000`` or ``laptop-seed-3``.

    `iters` is 0 for the recipe's number of steps, and `changed` are the changed parameters and entries of the recipe.
    """
    parts = [recipe, *([str(iters)] if iters else [])]
    parts += [f"{key}-{_said(key, value, train_set, unseen)}" for key, value in changed.items()]
    name = re.sub(r"--(?=\d)", "-minus-", "-".join(parts))  # seed=-1 and seed=1 are different runs
    name = re.sub(r" -(?=[a-z])", "-without-", name)  # tell "resnet34 -stage1 block16" from "resnet34 stage1 block16"
    name = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-")
    if len(name) > LONGEST:
        raise SrlabError("So many changes make no name for a run; give it one with the parameter run.")
    return "default" if name == "laptop" else name  # the run that other labs look for


def _said(key: str, value: Any, train_set: ImageSet, unseen: ImageSet) -> Any:
    """Return a value for a name; the user's photos get a hash, because different photos can have the same name."""
    if not isinstance(value, str):
        return value
    if key == "subject" and value not in ("", *PHOTOS):
        return f"{Path(value).stem[:30]}-{_sign(value, train_set.fingerprint(), unseen.fingerprint())}"
    if key in ("images", "validation") and (folder := paths.expanded(value)).is_dir():
        return f"{folder.resolve().name}-{_sign((train_set if key == 'images' else unseen).fingerprint())}"
    return value if key == "start" else Path(value).name


def _sign(*what: str) -> str:
    return hashlib.sha256("".join(what).encode()).hexdigest()[:6]


def check_run(lab: str, run: str) -> None:
    """Reject a run name that cannot name a folder; "" is accepted, for a run that is named later."""
    paths.run_folder(lab, run or "default")
    if len(run.encode()) > LONGEST:
        raise SrlabError(f"The name '{run}' of the run is too long; use one of at most {LONGEST} letters.")
