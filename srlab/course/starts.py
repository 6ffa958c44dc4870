"""The network that a training begins with: which are fit, and loading one."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from srlab.data.datasets import HALVED, ImageSet, photos
from srlab.data.degradation import Degradation
from srlab.errors import SrlabError
from srlab.models.weights import load_generator, load_shipped
from srlab.training.runs import Run, read_runs

SHIPPED = "shipped"  # as the name of a start
RUN = re.compile(r"[\w.-]+/[\w.-]+")  # any other


@dataclass(frozen=True)
class Wanted:
    """Requirements of a start.

    Attributes
    ----------
    network
        Name and arguments of the generator, as in a manifest: ``{"network": "RRDBNet", "scale": 4, ...}``.
    degradation
        How LR is made.
    train_set, unseen
        Photos to train on, and to validate on.
    free
        Whether a start that the reader names may be of another network, which is then trained.
    """

    network: dict[str, Any]
    degradation: Degradation
    train_set: ImageSet
    unseen: ImageSet
    free: bool = False


def begun_with(run: Run) -> str:
    """Return the start in a run's manifest, ``"shipped"`` or ``"LAB/NAME"``; "" before the first step, and without."""
    manifest = run.manifest()
    return manifest["parameters"].get("start", "") if manifest and manifest["step"] else ""


def find_start(starts: Iterable[str], wanted: Wanted) -> tuple[nn.Module | None, str]:
    """Load the first start that fits, and print why others are passed over.

    Parameters
    ----------
    starts
        Names of starts, ``"shipped"`` or ``"LAB/NAME"``.
    wanted
        Their requirements. One that has learned other photos does not fit.

    Returns
    -------
    tuple of torch.nn.Module and str
        The network, in eval mode on the CPU, and its name; None and "" if none fits.
    """
    for start in dict.fromkeys(starts):
        if not (reason := _misfit(start, wanted) or _other_photos(start, wanted)):
            return load_start(start, wanted), start
        print(f"The start {start} is passed over: {reason}.")
    return None, ""


def check_start(start: str, wanted: Wanted) -> None:
    """Reject a start that the reader has named if it does not fit.

    One that has learned other photos is accepted with a note: you can go on from many photos to a few.

    Raises
    ------
    SrlabError
        There is no such start, or it was trained for something else.
    """
    if reason := _misfit(start, wanted, wanted.free):
        raise SrlabError(f"start={start} won't do: {reason}.")
    if other := _other_photos(start, wanted):
        print(f"The start {start} may do, but {other}.")


def find_trained(lab: str, steps: int, parameters: dict[str, Any]) -> list[str]:
    """Return the names of a lab's finished runs without a discriminator, ``"LAB/NAME"``, the shortest first.

    Parameters
    ----------
    lab
        Name of the lab.
    steps
        Smallest number of steps.
    parameters
        Required entries of the manifest's parameters, such as the network and the patches.
    """
    required, found = json.loads(json.dumps(parameters)), []
    for run, manifest in read_runs(lab):
        made = manifest["parameters"]
        fits = "discriminator" not in made and all(made.get(key) == value for key, value in required.items())
        if fits and manifest["state"] == "finished" and manifest["step"] >= steps:
            found.append((manifest["step"], f"{run.lab}/{run.name}"))
    return [name for _, name in sorted(found)]


def _misfit(start: str, wanted: Wanted, free: bool = False) -> str:
    """Return why a training can't begin with a start, or ""."""
    if start == SHIPPED:
        if load_start(start, wanted) is None or wanted.degradation != Degradation():
            return f"no {wanted.network['network']} of this size, scale and degradation comes with srlab"
        return _seen(SHIPPED, wanted.unseen)
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
    """Return what a network has learned of the photos to validate on, or "".

    `learned` is the fingerprint of its photos, or ``"shipped"``. The validation photo of a subject is a right half.
    """
    known = photos("train")
    if learned in (SHIPPED, known.fingerprint()):
        for name, photo in zip(known.names, known.hr, strict=True):
            if any(torch.equal(photo[..., -right.shape[2] :], right) for right in unseen.hr):
                return f"it has learned all of {name}, and this run would be validated on pixels of it"
    if learned == unseen.fingerprint():
        return f"it was trained on {unseen.name}, on which this run would be validated"
    return ""


def _other_photos(start: str, wanted: Wanted) -> str:
    """Return which other photos a start has learned, or ""; half of a photo is not another one."""
    if start == SHIPPED:
        return ""
    images = Run(*start.split("/")).manifest()["parameters"]["sampler"]["images"]
    learned, ours, known = images["fingerprint"], wanted.train_set.fingerprint(), photos("train")
    if learned == ours or (learned == known.fingerprint() and ours == known.subset(HALVED).fingerprint()):
        return ""
    return "it was trained on {name} ({count} images, {fingerprint})".format(**images)


def load_start(start: str, wanted: Wanted) -> nn.Module | None:
    """Load a run's network, or the bundled network if it is the wanted one."""
    if start != SHIPPED:
        return load_generator(*start.split("/"))
    shipped = load_shipped().get({"RRDBNet": "RRDB"}.get(wanted.network["network"], wanted.network["network"]))
    fits = shipped is not None and {"network": wanted.network["network"]} | shipped.config == wanted.network
    return shipped if fits else None
