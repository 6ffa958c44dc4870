"""The network that training starts from has a name, in the recipe or by ``-p start``: ``"bundled"`` or ``"LAB/RUN"``.

In place of the bundled network comes the student's run of lab 01, if her code trained it and it gains enough over
bicubic. If the named start does not fit, the first that fits is used: a first stage of the same lab, lab 01's run of
the same name, the bundled network. A run that has begun keeps its start.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

import srlab
from srlab.data.datasets import HALVED, bundled_photos
from srlab.data.degradation import Degradation
from srlab.errors import SrlabError
from srlab.models.generator import config_of
from srlab.models.loading import load_bundled, load_generator
from srlab.text import printable
from srlab.training.runs import Run, run_called
from srlab_course.lab.credit import is_own
from srlab_course.lab.earlier.trained import finished_runs, run_like
from srlab_course.lab.lab import Lab, generator_of
from srlab_course.lab.run_code import is_code_of

BUNDLED = "bundled"
RUN = re.compile(r"[\w.-]+/[\w.-]+")
OWN = "01_srresnet"  # the lab of the student's own start
ENOUGH = 1.0  # its least gain over bicubic in dB, the mean over the bundled validation photos; lab 01 reaches 1.5


def load_start(lab: Any, *, stages: Sequence[str] = (), answers: Sequence[Any] = ()) -> tuple[nn.Module | None, str]:
    """Return the pretrained network that a lab's training starts from and its name, or None and "".

    If the user set ``start``, it is that one. Otherwise it is the first that fits, in this order: the start that this
    run began with, the recipe's start, and the `stages`, which are finished first stages of this lab. If the recipe has
    a start, lab 01's run of the same name and the bundled network come last. A network trained on other photos does
    not fit, and neither does a first stage that was not trained by these `answers`. The network is in eval mode on the
    CPU.
    """
    begun = begun_with(Run(lab.name, lab.run))
    if lab.start and "start" in lab.overrides:
        if begun not in ("", lab.start):
            raise SrlabError(f"This run began with {begun}, not with {lab.start}. Set another run name with run.")
        return _load(lab.start, lab), lab.start
    if begun.startswith(f"{lab.name}/") and not is_code_of(run_called(begun), *answers):
        begun = ""
    starts = [begun, lab.start, *stages]
    if lab.start:
        starts += [_run_of_lab_01(lab), BUNDLED]
    return _first_that_fits(filter(None, dict.fromkeys(starts)), lab)


def first_stages(lab: Any, steps: int, answers: Sequence[Any], **alike: Any) -> list[str]:
    """Return the names of a lab's finished runs without a discriminator, shortest first, and of these the newest first.

    These answers trained them as they are now, for at least this number of steps, with these parameters in their
    manifests. So a run with other settings of its second stage does not repeat the first.
    """
    required = json.loads(json.dumps({"generator": generator_of(lab.parameters)} | alike)).items()
    found = [
        (run, manifest)
        for run, manifest in finished_runs(lab.name)
        if manifest["step"] >= steps and required <= manifest["parameters"].items()
        if "discriminator" not in manifest["parameters"] and is_code_of(run, *answers)
    ]
    found.sort(key=lambda one: one[1]["started"], reverse=True)
    found.sort(key=lambda one: one[1]["step"])  # among equal ones, the order stays
    return [f"{run.lab}/{run.name}" for run, _ in found]


def check_start(lab: Any) -> None:
    """Reject a start set by the user if it does not fit.

    A network trained on other photos is accepted with a note, so that you can fine-tune from many photos to a few.
    """
    if reason := _misfit(lab.start, lab):
        raise SrlabError(f"Cannot start from {lab.start}: {reason}.")
    if other := _other_photos(lab.start, lab):
        print(printable(f"Note: training starts from {lab.start}, but {other}."))


def with_own_start(lab: Any) -> Lab:
    """Return a lab that starts from the student's network of lab 01 instead of the bundled one, if that fits.

    The network has to be trained with the student's code, have the architecture that the lab trains, and gain at least
    `ENOUGH` over bicubic. A run that has begun with another network stays as it is.
    """
    if lab.parameters.get("start") != BUNDLED or "start" in lab.overrides:
        return lab
    if not (own := _run_of_lab_01(lab)) or not is_own(own):
        return lab
    if (begun := begun_with(Run(lab.name, lab.run))) not in ("", own):
        begun = printable(begun)
        print(f"This run began with the pretrained network {begun} and keeps it. For yours, use -p start {own}.")
        return lab
    network, _ = _first_that_fits([own], lab)
    if network is None:
        return lab
    gain = _gain(network, lab)
    measured = f"{own} gains {gain:.2f} dB over bicubic on the validation photos of the course"
    if gain < ENOUGH:
        print(f"Your network {measured}, less than {ENOUGH:g} dB, so the bundled network is the pretrained one.")
        return lab
    print(f"Your network is the pretrained one: {measured}.")
    return replace(lab, parameters=lab.parameters | {"start": own}, is_reference_config=False)


def begun_with(run: Run) -> str:
    """Return the start in a run's manifest; "" if there is none, or before the first step."""
    manifest = run.manifest()
    return manifest["parameters"].get("start", "") if manifest and manifest["step"] else ""


def _run_of_lab_01(lab: Any) -> str:
    """Return the run of lab 01 like this lab's if it trained the network that this lab trains, else ""."""
    run = run_like(lab, OWN)
    same = run and run_called(run).parameters()["generator"]["network"] == generator_of(lab.parameters)["network"]
    return run if same else ""


def _first_that_fits(starts: Iterable[str], lab: Any) -> tuple[nn.Module | None, str]:
    """Load the first start that fits, and print why others are skipped. Return None and "" if none fits."""
    for start in starts:
        if not (reason := _misfit(start, lab) or _other_photos(start, lab)):
            return _load(start, lab), start
        print(printable(f"Skipping the pretrained network {start}: {reason}."))
    return None, ""


def _load(start: str, lab: Any) -> nn.Module | None:
    """Load the network of a run, or the bundled one if the lab trains the same network."""
    if start != BUNDLED:
        return load_generator(*start.split("/"))
    wanted = generator_of(lab.parameters)
    bundled = load_bundled().get({"RRDBNet": "RRDB"}.get(wanted["network"], wanted["network"]))
    fits = bundled is not None and {"network": wanted["network"]} | config_of(bundled) == wanted
    return bundled if fits else None


def _misfit(start: str, lab: Any) -> str:
    """Return why training cannot start from a network, or ""."""
    wanted = generator_of(lab.parameters)
    if start == BUNDLED:
        if _load(start, lab) is None or lab.degradation != Degradation():
            return f"srlab has no bundled {wanted['network']} of this size, scale and degradation"
        return _seen(BUNDLED, lab)
    if not RUN.fullmatch(start):
        return f"'{start}' is neither bundled nor LAB/RUN, such as 01_srresnet/default"
    run = run_called(start)
    if not run.is_usable():
        return f"no trained run found in {run.path}"
    made = run.parameters()
    if "start" in lab.overrides and {"network", "pretrain_iters"} <= lab.parameters.keys():
        wanted = {"scale": wanted["scale"]}  # lab 03 can train any network that the user sets
    if not {"images", "degradation"} <= made["sampler"].keys():
        return "it was not trained on photos, but on what another network drew"
    theirs = made["generator"] | made["sampler"]["degradation"]
    ours = (wanted | lab.degradation.describe()).items()
    if differs := [f"{name}={theirs.get(name)}, not {value}" for name, value in ours if theirs.get(name) != value]:
        return f"it was trained with {' and '.join(differs)}"
    return _seen(made["sampler"]["images"]["fingerprint"], lab)


def _seen(learned: str, lab: Any) -> str:
    """Return which validation photos a network was trained on, or "".

    `learned` is the fingerprint of its training photos, or ``"bundled"``. With a subject, the validation photo is the
    right half of a photo.
    """
    known = bundled_photos("train")
    if learned in (BUNDLED, known.fingerprint()):
        for name, photo in zip(known.names, known.hr, strict=True):
            if any(torch.equal(photo[..., -right.shape[2] :], right) for right in lab.unseen.hr):
                return f"it was trained on all of {name}, and this run would be validated on part of it"
    if learned == lab.unseen.fingerprint():
        return f"it was trained on {lab.unseen.name}, the validation photos of this run"
    return ""


def _other_photos(start: str, lab: Any) -> str:
    """Return which other photos or LR images a network was trained on, or ""; the left half of a photo is the same."""
    given = lab.train_set.describe().get("lr")
    if start == BUNDLED:
        return "it was trained on LR images by bicubic, not on the given ones" if given else ""
    images = run_called(start).parameters()["sampler"].get("images")
    if images is None:
        return "it was trained on what another network drew"
    if images.get("lr") != given:
        return "it was trained on other LR images"
    learned, ours, known = images["fingerprint"], lab.train_set.fingerprint(), bundled_photos("train")
    if learned == ours or (learned == known.fingerprint() and ours == known.subset(HALVED).fingerprint()):
        return ""
    return "it was trained on {name} ({count} images, {fingerprint})".format(**images)


def _gain(network: nn.Module, lab: Any) -> float:
    """Return by how many decibels a network is ahead of bicubic on the bundled validation photos."""
    photos = bundled_photos("validation").with_lr(lab.degradation, lab.scale)

    def score(upscaler: Callable[[torch.Tensor], torch.Tensor]) -> float:
        return srlab.evaluate(upscaler, photos, lab.scale).psnr.mean()

    return score(network) - score(lambda lr: srlab.upsample(lr, lab.scale))
