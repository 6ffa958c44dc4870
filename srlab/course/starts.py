"""Where a training begins: `find_start` says from which places, in which order, it takes the network."""

import json
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from srlab.base.errors import SrlabError
from srlab.data.datasets import HALVED, ImageSet, photos
from srlab.data.degradation import Degradation
from srlab.models.weights import load_generator, load_shipped
from srlab.training.runs import Run, read_runs

SHIPPED = "shipped"  # as the name of a start
RUN = re.compile(r"[\w.-]+/[\w.-]+")  # any other


@dataclass(frozen=True)
class Wanted:
    """What a start must fit.

    Attributes
    ----------
    network
        Name and arguments of the generator, as a manifest has them: ``{"network": "RRDBNet", "scale": 4, ...}``.
    degradation
        How LR is made.
    train_set, unseen
        Photos to train on, and to validate on.
    free
        Whether a run that the reader names as the start may be of another network, which is then trained.
    """

    network: dict[str, Any]
    degradation: Degradation
    train_set: ImageSet
    unseen: ImageSet
    free: bool = False


def begun_with(run: Run) -> str:
    """The start that a run has noted: ``"shipped"`` or ``"LAB/NAME"``; "" where it has none or hasn't trained yet."""
    manifest = run.manifest()
    return manifest["parameters"].get("start", "") if manifest and manifest["step"] else ""


def find_start(
    start: str, wanted: Wanted, named: bool, begun: str = "", lab: str = "", steps: int = 0, **alike: Any
) -> tuple[nn.Module | None, str]:
    """Load the network to begin with, from the first of five places that has one.

    1. the start that the reader has named: it must fit, and nothing takes its place
    2. the start that this run has begun with
    3. the start of the recipe
    4. finished runs of a lab, the shortest first
    5. the network that comes with srlab, for a recipe that has a start

    In the places 2 to 4, one that doesn't fit or has learned other photos is passed over, and a line says why.

    Parameters
    ----------
    start
        ``"shipped"``, or a run, ``"LAB/NAME"``; "" for none.
    wanted
        What it must fit.
    named
        Whether the reader has named `start`; else it is the recipe's.
    begun
        The start that this run has begun with, if it has.
    lab, steps, **alike
        Of which lab the runs of place 4 are, how many steps they must have, and what else their manifest must say.

    Returns
    -------
    tuple of torch.nn.Module and str
        The network, in eval mode on the CPU, and where it comes from: ``"shipped"`` or ``"LAB/NAME"``. None and ""
        where there is none.

    Raises
    ------
    SrlabError
        The start was named and won't do, or the run has begun with another.
    """
    if named and start:
        if begun not in ("", start):
            raise SrlabError(
                f"This run began with {begun}, not with {start}; give it another name with the parameter run."
            )
        check_start(start, wanted)
        return _load(start, wanted), start
    finished = find_trained(lab, steps, {"generator": wanted.network} | alike) if lab else []
    for name in dict.fromkeys(name for name in (begun, start, *finished) if name):
        if not (reason := _misfit(name, wanted) or _other_photos(name, wanted)):
            return _load(name, wanted), name
        print(f"The start {name} is passed over: {reason}.")
    if start and not _misfit(SHIPPED, wanted):
        return _load(SHIPPED, wanted), SHIPPED
    return None, ""


def check_start(start: str, wanted: Wanted) -> None:
    """Refuse a start that the reader has named, and with which this training can't begin.

    It may have learned other photos, which a line says: that is how one goes on from many photos to a few.

    Parameters
    ----------
    start, wanted
        As for `find_start`.

    Raises
    ------
    SrlabError
        There is no such start, or it was trained for something else.
    """
    if reason := _misfit(start, wanted, named=True):
        raise SrlabError(f"start={start} won't do: {reason}.")
    if other := _other_photos(start, wanted):
        print(f"The start {start} may do, but {other}.")


def find_trained(lab: str, steps: int, parameters: dict[str, Any]) -> list[str]:
    """Names of a lab's finished runs without a discriminator, ``"LAB/NAME"``, the shortest first.

    Parameters
    ----------
    lab
        Whose runs to look through.
    steps
        That it must have at the least.
    parameters
        What its manifest must say, such as the network and the patches.
    """
    wanted, found = json.loads(json.dumps(parameters)), []
    for run, manifest in read_runs(lab):
        made = manifest["parameters"]
        fits = "discriminator" not in made and all(made.get(key) == value for key, value in wanted.items())
        if fits and manifest["state"] == "finished" and manifest["step"] >= steps:
            found.append((manifest["step"], f"{run.lab}/{run.name}"))
    return [name for _, name in sorted(found)]


def _misfit(start: str, wanted: Wanted, named: bool = False) -> str:
    """Why a training can't begin with this, or ""."""
    if start == SHIPPED:
        if _load(start, wanted) is None or wanted.degradation != Degradation():
            return f"no {wanted.network['network']} of this size, scale and degradation comes with srlab"
        return _seen(SHIPPED, wanted.unseen)
    if not RUN.fullmatch(start):
        return f"it is shipped, or LAB/RUN such as 01_srresnet/default, not '{start}'"
    run = Run(*start.split("/"))
    if not run.is_trained():
        return f"there is no trained run {run.path}"
    made = run.manifest()["parameters"]
    network = {"scale": wanted.network["scale"]} if named and wanted.free else wanted.network
    if differs := _differences(made["generator"], network):
        return f"its network has {differs}"
    if differs := _differences(made["sampler"]["degradation"], wanted.degradation.describe()):
        return f"it has learned from LR of {differs}"
    return _seen(made["sampler"]["images"]["fingerprint"], wanted.unseen)


def _differences(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    return " and ".join(
        f"{name}={theirs.get(name)}, not {value}" for name, value in ours.items() if theirs.get(name) != value
    )


def _seen(learned: str, unseen: ImageSet) -> str:
    """What a network knows of the photos to validate on, or ""; `learned` is the fingerprint of its own, or shipped."""
    if len(unseen) == 1:  # as of a subject, of which it is the right half
        known, right = photos("train"), unseen.hr[0]
        ends = {name: photo[..., -right.shape[2] :] for name, photo in zip(known.names, known.hr, strict=True)}
        whole = [name for name, end in ends.items() if torch.equal(end, right)]
        if whole and learned in (SHIPPED, known.fingerprint()):
            return f"it has learned all of {whole[0]}, and this run would be validated on pixels of it"
    if learned == unseen.fingerprint():
        return f"it was trained on {unseen.name}, on which this run would be validated"
    return ""


def _other_photos(start: str, wanted: Wanted) -> str:
    """Which photos a start has learned, if they are others; half of a photo is no other than the whole."""
    if start == SHIPPED:
        return ""
    images = Run(*start.split("/")).manifest()["parameters"]["sampler"]["images"]
    learned, ours, known = images["fingerprint"], wanted.train_set.fingerprint(), photos("train")
    if learned == ours or (learned == known.fingerprint() and ours == known.subset(HALVED).fingerprint()):
        return ""
    return "it was trained on {name} ({count} images, {fingerprint})".format(**images)


def _load(start: str, wanted: Wanted) -> nn.Module | None:
    if start != SHIPPED:
        return load_generator(*start.split("/"))
    shipped = load_shipped().get({"RRDBNet": "RRDB"}.get(wanted.network["network"], wanted.network["network"]))
    fits = shipped is not None and {"network": wanted.network["network"]} | shipped.config == wanted.network
    return shipped if fits else None
