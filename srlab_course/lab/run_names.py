"""Names of runs: equal parameters give equal names, and different parameters give different names.

A run that the user named keeps the recipe, the changes and the steps that it was made with. They are in its
``run.json``. Only the steps can change.
"""

import hashlib
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from srlab import paths
from srlab.data.datasets import PHOTOS
from srlab.data.image_set import ImageSet
from srlab.errors import SrlabError
from srlab.training.manifests import Manifest
from srlab.training.runs import Run
from srlab_course.lab.settings import STAGES

# Parameters left out of a name: recipe and steps are added separately, and the others do not affect the weights.
NOT_IN_NAME = {"iters", "run", "recipe", "device", "precision", "launch", "photo", "benchmark"}
BEFORE = "-before"  # end of the name of a run that was moved aside; see `srlab_course.lab.run_code`
LONGEST = 100  # characters of a name; leaves space for the suffixes of side runs


def changes(defaults: dict[str, Any], given: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the changed parameters that affect training.

    `given` are the values as typed, and `values` the values after the recipe was applied.
    """
    unused = {"subject"} if given.get("images") or given.get("validation") else set()
    names = given.keys() - NOT_IN_NAME - unused
    return {name: values[name] for name, value in given.items() if name in names and value != defaults[name]}


def name_run(recipe: str, iters: int, changed: dict[str, Any], train_set: ImageSet, unseen: ImageSet) -> str:
    """Return a name such as ``default``, ``gpu-100000`` or ``laptop-seed-3``.

    `iters` is 0 for the recipe's number of steps, and `changed` contains the changed parameters and recipe settings.
    """
    parts = [recipe, *([str(iters)] if iters else [])]
    parts += [f"{key}-{_said(key, value, train_set, unseen)}" for key, value in changed.items()]
    name = re.sub(r"--(?=\d)", "-minus-", "-".join(parts))  # so that seed=-1 and seed=1 are different runs
    name = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-")
    if len(name) > LONGEST:
        raise SrlabError("Too many overrides to generate a run name. Set one with the parameter run.")
    return "default" if name == "laptop" else name  # the name that other labs look for


def _said(key: str, value: Any, train_set: ImageSet, unseen: ImageSet) -> Any:
    """Return a value for a name. Add a hash for the user's photos, because folders with equal names can differ."""
    if not isinstance(value, str):
        return value
    if key == "subject" and value not in ("", *PHOTOS):
        return f"{Path(value).stem[:30]}-{short_hash(value, train_set.fingerprint(), unseen.fingerprint())}"
    if key in ("images", "validation") and (folder := paths.find_in_course(value)).is_dir():
        pictures = (train_set if key == "images" else unseen).describe()
        return f"{folder.resolve().name}-{short_hash(pictures['fingerprint'], pictures.get('lr', ''))}"
    return value if key == "start" else Path(value).name


def short_hash(*what: str) -> str:
    """Return six digits that tell texts apart in a name."""
    return hashlib.sha256("".join(what).encode()).hexdigest()[:6]


def made_with(lab: str, name: str) -> Manifest | None:
    """Return the manifest of a run, or of the first of its stages; None if none has trained a step."""
    for folder in sorted(paths.run_folder(lab, name).parent.glob(f"{name}*")):  # the run itself comes first
        with suppress(SrlabError, OSError):  # a damaged run, which training reports
            manifest = Run(lab, folder.name).manifest()
            aside = folder.name.endswith(BEFORE)
            if not manifest or not manifest["step"] or aside or "lab_run" not in manifest:
                continue
            if manifest["lab_run"] == name:
                return manifest
    return None


def refuse_changes(
    made: Manifest, recipe: str, changed: dict[str, Any], defaults: dict[str, Any], train_set: ImageSet
) -> None:
    """Reject another recipe or other changes than in a run's manifest, and print what to type to continue the run.

    `defaults` are the values of settings that are not changed. A folder of photos may have another path. Validation
    photos are not compared here.
    """
    then, today = {"recipe": made["recipe"]} | made["changed"], {"recipe": recipe} | changed
    was, now = defaults | then, defaults | today
    learned = made["parameters"]["sampler"].get("images", {}) | {"name": train_set.name}
    same = {"validation", *STAGES} | ({"images", "subject"} if learned == train_set.describe() else set())
    names = [name for name in then | today if name not in same]
    differs = [name for name in names if _short(name, was.get(name)) != _short(name, now.get(name))]
    if not differs:
        return
    type_ = " ".join(f"-p {shlex.join([name, str(then[name])])}" for name in differs if name in then)
    leave = " and ".join(f"-p {name}" for name in differs if name not in then)
    how = " and ".join(filter(None, [type_ and f"pass {type_}", leave and f"leave out {leave}"]))
    raise SrlabError(
        f"The run '{made['lab_run']}' of {made['lab']} was made with other settings. To continue it, {how}. To train "
        "with the new settings, choose another name with -p run."
    )


def _short(name: str, value: Any) -> Any:
    """Return a value as `refuse_changes` compares it: the path of weights without its folders."""
    return Path(str(value)).name if name == "backbone" else value


def check_run(lab: str, run: str) -> None:
    """Reject a run name that is not a valid folder name, or is for runs moved aside. Accept "" for one named later."""
    paths.run_folder(lab, run or "default")
    if run.endswith(BEFORE):
        raise SrlabError(
            f"Run name '{run}' is for a run that was moved aside. Choose one that does not end in {BEFORE}."
        )
    if len(run.encode()) > LONGEST:
        raise SrlabError(f"Run name '{run}' is too long. Use at most {LONGEST} characters.")
