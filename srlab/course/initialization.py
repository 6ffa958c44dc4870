"""The pretrained network that training starts from: which networks fit, and how to load one.

Names of starts are ``"bundled"``, for the bundled networks, or ``"LAB/NAME"`` of a run.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from srlab.data.datasets import HALVED, ImageSet, bundled_photos
from srlab.data.degradation import Degradation
from srlab.errors import SrlabError
from srlab.models.weights import load_bundled, load_generator
from srlab.training.runs import Run, read_runs

BUNDLED = "bundled"
RUN = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class StartRequirements:
    """Requirements for a pretrained network.

    `network` has name and arguments of the generator, as in a manifest: ``{"network": "RRDBNet", "scale": 4, ...}``. If
    `free`, a start set by the user may be another network, which is then trained.
    """

    network: dict[str, Any]
    degradation: Degradation
    train_set: ImageSet
    unseen: ImageSet
    free: bool = False


def begun_with(run: Run) -> str:
    """Return the name of the start in a run's manifest; "" without one, or before the first step."""
    manifest = run.manifest()
    return manifest["parameters"].get("start", "") if manifest and manifest["step"] else ""


def find_start(starts: Iterable[str], wanted: StartRequirements) -> tuple[nn.Module | None, str]:
    """Load the first start that fits, and print why others are skipped; return None and "" if none fits.

    A network trained on other photos does not fit. The loaded network is in eval mode on the CPU.
    """
    for start in dict.fromkeys(starts):
        if not (reason := _misfit(start, wanted) or _other_photos(start, wanted)):
            return load_start(start, wanted), start
        print(f"The start {start} is passed over: {reason}.")
    return None, ""


def check_start(start: str, wanted: StartRequirements) -> None:
    """Reject a start set by the user if it does not fit.

    A network trained on other photos is accepted with a note, because you can continue from many photos to a few.
    """
    if reason := _misfit(start, wanted, wanted.free):
        raise SrlabError(f"start={start} won't do: {reason}.")
    if other := _other_photos(start, wanted):
        print(f"The start {start} may do, but {other}.")


def find_trained(lab: str, steps: int, parameters: dict[str, Any]) -> list[str]:
    """Return the names of a lab's finished runs without a discriminator, shortest first.

    They have at least this number of steps, and these entries in the parameters of their manifest.
    """
    required, found = json.loads(json.dumps(parameters)), []
    for run, manifest in read_runs(lab):
        made = manifest["parameters"]
        fits = "discriminator" not in made and all(made.get(key) == value for key, value in required.items())
        if fits and manifest["status"] == "finished" and manifest["step"] >= steps:
            found.append((manifest["step"], f"{run.lab}/{run.name}"))
    return [name for _, name in sorted(found)]


def _misfit(start: str, wanted: StartRequirements, free: bool = False) -> str:
    """Return why training cannot start from a network, or ""."""
    if start == BUNDLED:
        if load_start(start, wanted) is None or wanted.degradation != Degradation():
            return f"no {wanted.network['network']} of this size, scale and degradation comes with srlab"
        return _seen(BUNDLED, wanted.unseen)
    if not RUN.fullmatch(start):
        return f"it is shipped, or LAB/RUN such as 01_srresnet/default, not '{start}'"
    run = Run(*start.split("/"))
    if not run.is_trained():
        return f"there is no trained run {run.path}"
    made = run.manifest()["parameters"]
    network = {"scale": wanted.network["scale"]} if free else wanted.network
    theirs = made["generator"] | made["sampler"]["degradation"]
    ours = (network | wanted.degradation.describe()).items()
    if differs := [f"{name}={theirs.get(name)}, not {value}" for name, value in ours if theirs.get(name) != value]:
        return f"it was trained with {' and '.join(differs)}"
    return _seen(made["sampler"]["images"]["fingerprint"], wanted.unseen)


def _seen(learned: str, unseen: ImageSet) -> str:
    """Return which validation photos a network was trained on, or "".

    `learned` is the fingerprint of its training photos, or ``"bundled"``. The validation photo of a subject is a right
    half.
    """
    known = bundled_photos("train")
    if learned in (BUNDLED, known.fingerprint()):
        for name, photo in zip(known.names, known.hr, strict=True):
            if any(torch.equal(photo[..., -right.shape[2] :], right) for right in unseen.hr):
                return f"it has learned all of {name}, and this run would be validated on pixels of it"
    if learned == unseen.fingerprint():
        return f"it was trained on {unseen.name}, on which this run would be validated"
    return ""


def _other_photos(start: str, wanted: StartRequirements) -> str:
    """Return which other photos a network was trained on, or ""; the left half of a photo is not another photo."""
    if start == BUNDLED:
        return ""
    images = Run(*start.split("/")).manifest()["parameters"]["sampler"]["images"]
    learned, ours, known = images["fingerprint"], wanted.train_set.fingerprint(), bundled_photos("train")
    if learned == ours or (learned == known.fingerprint() and ours == known.subset(HALVED).fingerprint()):
        return ""
    return "it was trained on {name} ({count} images, {fingerprint})".format(**images)


def load_start(start: str, wanted: StartRequirements) -> nn.Module | None:
    """Load the network of a run, or the bundled network if it meets the requirements."""
    if start != BUNDLED:
        return load_generator(*start.split("/"))
    shipped = load_bundled().get({"RRDBNet": "RRDB"}.get(wanted.network["network"], wanted.network["network"]))
    fits = shipped is not None and {"network": wanted.network["network"]} | shipped.config == wanted.network
    return shipped if fits else None
