"""Names of runs: the same parameters give the same name, and other parameters give another."""

import hashlib
import re
from pathlib import Path
from typing import Any

from srlab import paths
from srlab.data.datasets import PHOTOS, ImageSet
from srlab.errors import SrlabError

# Not among the changes in a name: the recipe and the steps are in it already, and the others change no weight.
NOT_IN_NAME = {"iters", "run", "recipe", "device", "precision", "compiled", "photo", "benchmark"}
LONGEST = 100  # letters of a run's name, so that its side runs can have longer ones


def changes(defaults: dict[str, Any], given: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the changed parameters that act on what is trained.

    Parameters
    ----------
    defaults, given, values
        Default values, typed values, and values after the recipe, by name.
    """
    unused = {"subject"} if given.get("images") or given.get("validation") else set()
    names = given.keys() - NOT_IN_NAME - unused
    return {name: values[name] for name, value in given.items() if name in names and value != defaults[name]}


def name_run(recipe: str, iters: int, changed: dict[str, Any], train_set: ImageSet, unseen: ImageSet) -> str:
    """Return a name such as ``default``, ``gpu-100000`` or ``laptop-seed-3``.

    Parameters
    ----------
    recipe, iters
        Recipe and number of steps; 0 for the recipe's.
    changed
        Changed parameters and entries of the recipe, by name.
    train_set, unseen
        Photos for training and for validation.

    Raises
    ------
    SrlabError
        The name would be too long.
    """
    parts = [recipe, *([str(iters)] if iters else [])]
    parts += [f"{key}-{_said(key, value, train_set, unseen)}" for key, value in changed.items()]
    name = re.sub(r"--(?=\d)", "-minus-", "-".join(parts))  # seed=-1 is another run than seed=1
    name = re.sub(r" -(?=[a-z])", "-without-", name)  # "resnet34 -stage1 block16" and the same with stage1
    name = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-")
    if len(name) > LONGEST:
        raise SrlabError("So many changes make no name for a run; give it one with the parameter run.")
    return "default" if name == "laptop" else name  # the run that other labs look for


def _said(key: str, value: Any, train_set: ImageSet, unseen: ImageSet) -> Any:
    """Return a value for a name; the reader's own photos get a hash, because others may have the same name."""
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
    """Reject the name of a run that cannot be the name of a folder.

    Parameters
    ----------
    lab, run
        Names; "" for a run without a name yet.

    Raises
    ------
    SrlabError
        The name has other characters than letters, digits and ``. _ -``, or is too long.
    """
    paths.run_folder(lab, run or "default")
    if len(run.encode()) > LONGEST:
        raise SrlabError(f"The name '{run}' of the run is too long; use one of at most {LONGEST} letters.")
