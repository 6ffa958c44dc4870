"""The pretrained network that training starts from: which ones fit, and how to load one.

A start, the name of a pretrained network, is ``"bundled"`` for the bundled networks, or ``"LAB/NAME"`` for a run.
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
from srlab.models.loading import load_bundled, load_generator
from srlab.training.runs import Run, read_runs

BUNDLED = "bundled"
RUN = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class StartRequirements:
    """Requirements for a pretrained network.

    `network` contains name and arguments of the generator, as in a manifest: ``{"network": "RRDBNet", "scale": 4}``.
    If `free`, a start set by the user may be another network, which is then trained.
    """

    network: dict[str, Any]
    degradation: Degradation
    train_set: ImageSet
    unseen: ImageSet
    free: bool = False


def begun_with(run: Run) -> str:
    """Return the start in a run's manifest; "" if there is none, or before the first step."""
    manifest = run.manifest()
    return manifest["parameters"].get("start", "") if manifest and manifest["step"] else ""


def find_start(starts: Iterable[str], wanted: StartRequirements) -> tuple[nn.Module | None, str]:
    """Load the first start that fits, and print why others are skipped. Return None and "" if none fits.

    A network trained on other photos does not fit. The loaded network is in eval mode on the CPU.
    """
    for start in dict.fromkeys(starts):
        if not (reason := _misfit(start, wanted) or _other_photos(start, wanted)):
            return load_start(start, wanted), start
        print(f"Skipping the pretrained network {start}: {reason}.")
    return None, ""


def check_start(start: str, wanted: StartRequirements) -> None:
    """Reject a start set by the user if it does not fit.

    A network trained on other photos is accepted with a note, so that you can fine-tune from many photos to a few.
    """
    if reason := _misfit(start, wanted, wanted.free):
        raise SrlabError(f"Cannot start from {start}: {reason}.")
    if other := _other_photos(start, wanted):
        print(f"Note: training starts from {start}, but {other}.")


def find_trained(lab: str, steps: int, parameters: dict[str, Any]) -> list[str]:
    """Return the names of a lab's finished runs without a discriminator, shortest first, and of these the newest first.

    They have at least this number of steps, and their manifests have these parameters.
    """
    required, found = json.loads(json.dumps(parameters)), []
    for run, manifest in read_runs(lab):
        made = manifest["parameters"]
        fits = "discriminator" not in made and all(made.get(key) == value for key, value in required.items())
        if fits and manifest["status"] == "finished" and manifest["step"] >= steps:
            found.append((manifest["step"], manifest.get("started", ""), f"{run.lab}/{run.name}"))
    newest_first = sorted(found, key=lambda one: one[1], reverse=True)
    return [name for *_, name in sorted(newest_first, key=lambda one: one[0])]


def _misfit(start: str, wanted: StartRequirements, free: bool = False) -> str:
    """Return why training cannot start from a network, or ""."""
    if start == BUNDLED:
        if load_start(start, wanted) is None or wanted.degradation != Degradation():
            return f"srlab has no bundled {wanted.network['network']} of this size, scale and degradation"
        return _seen(BUNDLED, wanted.unseen)
    if not RUN.fullmatch(start):
        return f"'{start}' is neither bundled nor LAB/RUN, such as 01_srresnet/default"
    run = Run(*start.split("/"))
    if not run.is_usable():
        return f"no trained run found in {run.path}"
    made = run.manifest()["parameters"]
    network = {"scale": wanted.network["scale"]} if free else wanted.network
    theirs = made["generator"] | made["sampler"]["degradation"]
    ours = (network | wanted.degradation.describe()).items()
    if differs := [f"{name}={theirs.get(name)}, not {value}" for name, value in ours if theirs.get(name) != value]:
        return f"it was trained with {' and '.join(differs)}"
    return _seen(made["sampler"]["images"]["fingerprint"], wanted.unseen)


def _seen(learned: str, unseen: ImageSet) -> str:
    """Return which validation photos a network was trained on, or "".

    `learned` is the fingerprint of its training photos, or ``"bundled"``. With a subject, the validation photo is the
    right half of a photo.
    """
    known = bundled_photos("train")
    if learned in (BUNDLED, known.fingerprint()):
        for name, photo in zip(known.names, known.hr, strict=True):
            if any(torch.equal(photo[..., -right.shape[2] :], right) for right in unseen.hr):
                return f"it was trained on all of {name}, and this run would be validated on part of it"
    if learned == unseen.fingerprint():
        return f"it was trained on {unseen.name}, the validation photos of this run"
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
    """Load the network of a run, or the bundled network if it fits the requirements."""
    if start != BUNDLED:
        return load_generator(*start.split("/"))
    bundled = load_bundled().get({"RRDBNet": "RRDB"}.get(wanted.network["network"], wanted.network["network"]))
    fits = bundled is not None and {"network": wanted.network["network"]} | bundled.config == wanted.network
    return bundled if fits else None
