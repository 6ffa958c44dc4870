"""What the first cell of a lab calls: `setup`, which checks all that was typed and chooses the rest."""

import hashlib
import math
import os
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import srlab
from srlab.base import devices, files, places
from srlab.base.errors import SrlabError
from srlab.base.shell import running_shell
from srlab.data import catalog, datasets
from srlab.data.subjects import subject_file
from srlab.lab import missing_names
from srlab.lab.notebooks import seen_from_here
from srlab.lab.parameters import read_parameters
from srlab.lab.recipes import Book, Recipe, pick_recipe, read_book
from srlab.models import pretrained
from srlab.training import starts
from srlab.training.runs import ADVICE
from srlab.view import plots

# What a run's name needn't tell: it says the recipe and the steps by itself, and the rest acts on no weight.
NOT_IN_NAME = {"iters", "run", "recipe", "device", "precision", "compiled", "photo", "benchmark"}
SEEN_OFTEN = 200  # times that a training sees each pixel, from which on it may learn photos by heart
FEW = 30  # megapixels of photos, on which a network of the papers' size isn't trained without a word
LONGEST = 100  # letters of a run's name, so that its side runs can have longer ones
ROOM = 100_000_000  # bytes; the runs of a lab of the laptop take from 14 MB to 430 MB
LONG = 2000  # steps from which on random or small features hold a training back


class Lab(SimpleNamespace):
    """What `setup` found out: each parameter and each number of the recipe is an attribute, such as ``lab.batch``.

    Attributes
    ----------
    name
        Of the lab, the folder of its runs.
    recipe
        Name of the recipe in use.
    iters, run
        Steps of the main stage, and the name of its run, as they were chosen.
    device, precision
        To train with, already chosen.
    train_set, unseen
        Photos to train on, and others to validate on, of a lab with recipes. Both halves of one photo where the recipe
        has a ``subject`` and nobody named others.
    degradation
        How LR is made from HR.
    parameters
        All values by name.
    tricks
        The entries of the recipe that were changed.
    as_tried
        Whether this is what the lab's claims were measured on: a recipe of the course without changes, on a CPU.
    """

    @property
    def hardware(self) -> dict[str, Any]:
        """What `srlab.Trainer` is told of the machine: device, precision, and how networks are compiled."""
        return {"device": self.device, "precision": self.precision, "compiled": self.parameters.get("compiled", "")}

    @property
    def wanted(self) -> starts.Wanted:
        """What a network must fit for this lab to begin with it."""
        free = {"network", "pretrain_iters"} <= set(self.parameters)  # in lab 03 they are of a start of its own
        return starts.Wanted(_generator(self.parameters), self.degradation, self.train_set, self.unseen, free)

    def find_start(self, lab: str = "", steps: int = 0, **alike: Any) -> tuple[Any, str]:
        """The network that the training begins with, and where it comes from; see `srlab.training.starts.find_start`.

        Parameters
        ----------
        lab, steps, **alike
            Among whose runs to look for one where the recipe's is not there, and what such a run must be.
        """
        manifest = srlab.Run(self.name, self.run).manifest() or {"parameters": {}}
        begun = manifest.get("psnr_stage") or manifest["parameters"].get("start", "")  # as labs 04 and 03 note it
        if " " in begun:  # lab 02 says it in words, and has no choice
            begun = ""
        elif begun not in ("", starts.SHIPPED) and "/" not in begun:
            begun = f"{self.name}/{begun}"
        return starts.find_start(self.start, self.wanted, "start" in self.tricks, begun, lab, steps, **alike)

    def expect(self, holds: bool, claim: str) -> None:
        """Hold what the text says against what was computed; the blocks in ``notebooks/claims/`` call it.

        Parameters
        ----------
        holds
            Whether it is so; nothing is asked of a lab with other settings than it was tried with.
        claim
            The sentence, without a full stop.

        Raises
        ------
        SrlabError
            It is not so.
        """
        if self.as_tried and not holds:
            raise SrlabError(f"What the lab says does not hold: {claim}.")


def setup(name: str, namespace: Mapping[str, Any], dry: bool = False) -> Lab:
    """Check a lab's parameters, choose its recipe, print what will be done, and choose the colours of its figures.

    Papermill takes any ``-p`` name, known or not, and a notebook takes any name that is typed, so a slip would go
    unnoticed: this is where it is caught.

    Parameters
    ----------
    name
        Of the lab, for example ``"01_srresnet"``.
    namespace
        What the notebook has defined: ``globals()``.
    dry
        For ``srlab plan``: nothing is downloaded, and photos that are not there yet have a stand-in of their size.

    Returns
    -------
    Lab
        Parameters, numbers of the recipe, device, precision and photos.

    Raises
    ------
    SrlabError
        A parameter is unknown or makes no sense, the run could not be kept, the device is not there, or a strict
        recipe has too few photos.
    """
    import matplotlib.pyplot as plt

    book = read_book(places.recipes() / f"{name}.yaml")
    again = any(isinstance(value, Lab) and value.name == name for value in namespace.values())
    values, tricks = read_parameters(book, namespace, again)
    if "run" in values:
        check_run(name, values["run"])
    device = srlab.pick_device(values["device"])
    precision = srlab.pick_precision(values.get("precision", "auto"), device)
    plt.rcParams["axes.prop_cycle"] = plots.line_styles()
    missing_names.explain_missing_names()
    print(describe(device, precision))
    if values["device"] == "auto" and device.type == "cpu" and (reason := devices.unused_gpu()):
        print(f"WARNING: {reason}")
    lab = Lab(name=name, device=device, precision=precision, tricks=tricks)
    read, scale = datasets.stand_in if dry else srlab.image_set, values.get("scale", 4)
    lab.train_set = read(values["images"], scale) if values.get("images") else srlab.photos("train")
    recipe = _recipe_for(lab, book, values, tricks)
    changed = {key: value for key, value in values.items() if key not in NOT_IN_NAME and value != book.parameters[key]}
    written = book.recipes[recipe.name]
    as_written = recipe.values in (written["values"], written["values"] | written.get("without_weights", {}))
    lab.as_tried = as_written and recipe.name in ("laptop", "smoke") and device.type == "cpu"
    lab.as_tried &= not changed.keys() - {"seed", "backbone"}
    subject, run, iters = values.get("subject", "auto"), values.get("run"), values.get("iters", 0)
    values |= recipe.values | {"recipe": recipe.name}
    if others := [name for name in ("images", "validation") if values.get(name)]:
        if subject not in ("auto", ""):
            print(f"The subject {subject} is not used, because you have set {' and '.join(others)}.")
        values["subject"] = ""
        changed.pop("subject", None)
    changed |= _choose_photos(lab, values, read)
    values["run"] = run or _run_name(recipe, iters, changed | tricks)
    if "discriminator" in values:  # which halves a patch four times
        block = math.lcm(16, values["scale"])
        values["patch"] = -(-values["patch"] // block) * block
    vars(lab).update({key: value for key, value in values.items() if key not in ("device", "precision")})
    lab.parameters = values
    _check_photos(lab, book.sides, scale)
    _check_what_comes_later(lab)
    _announce(lab, recipe, values, dry)
    return lab


def _recipe_for(lab: Lab, book: Book, values: dict[str, Any], tricks: dict[str, Any]) -> Recipe:
    """The recipe that is asked for or that fits, laid out for the number of steps, with what the reader changed."""
    facts = {"device": lab.device.type, "iters": values.get("iters", 0), "memory_gib": devices.memory_gib(lab.device)}
    facts |= {"processes": int(os.environ.get("WORLD_SIZE", 1)), "megapixels": _megapixels(lab.train_set)}
    recipe = pick_recipe(book, values["recipe"], facts)
    if "backbone" in values and not _real(recipe.values["features"], values["backbone"]):
        without = pick_recipe(book, recipe.name, facts, real_features=False)
        note = f"; without ImageNet weights it has features and losses for {pretrained.OWN}, the course's own network"
        note = note if without.values != recipe.values else ""
        recipe = replace(without, why=recipe.why + note)
    named = {"subject": values["subject"]} if values.get("subject", "auto") != "auto" else {}
    return recipe.laid_out(facts["iters"]).changed_by(tricks | named)


def _choose_photos(lab: Lab, values: dict[str, Any], read: Callable[..., datasets.ImageSet]) -> dict[str, str]:
    """Set the photos to validate on, and of a subject those to train on; returns what a run's name says of them."""
    if values.get("subject"):
        lab.train_set, lab.unseen = srlab.halves(values["subject"])
        if values["subject"] in datasets.PHOTOS:
            return {}
        values["subject"] = str(subject_file(values["subject"]))
        return {"subject": _name_of_own(values["subject"], lab.train_set, lab.unseen)}
    if values.get("validation"):
        lab.unseen = read(values["validation"], values.get("scale", 4))
    else:
        lab.unseen = srlab.photos("validation").subset(*values["photos"].split())
    if values.get("center_crop"):
        lab.unseen = lab.unseen.center_crop(values["center_crop"])
    return {}


def _check_photos(lab: Lab, sides: dict[str, int], scale: int) -> None:
    """Leave out photos too small for what the lab does with them, also after its training, and say so.

    Raises
    ------
    SrlabError
        None is large enough, or one is among both, or the reader's own photo is too small.
    """
    values = lab.parameters
    lab.train_set = lab.train_set.at_least(values.get("patch", 1))
    lab.unseen = lab.unseen.at_least(max(sides.get("validation", 1), 12 * scale))
    stand_ins = any(image.is_meta for image in (*lab.train_set.hr, *lab.unseen.hr))  # of different photos, then
    for name in () if stand_ins else set(lab.train_set.names) & set(lab.unseen.names):
        same = lab.train_set.hr[lab.train_set.names.index(name)], lab.unseen.hr[lab.unseen.names.index(name)]
        if same[0].shape == same[1].shape and bool((same[0] == same[1]).all()):
            raise SrlabError(
                f"No photo may be trained on and validated on, but {name} is; leave it out of one of them."
            )
    if values.get("photo"):
        height, width = srlab.read_image(values["photo"]).shape[-2:]
        if min(height, width) < (least := max(sides["photo"], 16 * scale)):
            raise SrlabError(f"{values['photo']} is {width} x {height}; this lab needs {least} pixels a side or more.")


def _check_what_comes_later(lab: Lab) -> None:
    """Refuse what a later cell would, before anything is computed, and set how LR is made.

    Raises
    ------
    SrlabError
        Strengths of the degradation, the network, a weights file, the start, a benchmark set, or a run to compare
        won't do.
    """
    import torch

    from srlab import models

    values = lab.parameters
    made = {"blur": values.get("blur", 0.0), "noise": values.get("lr_noise", 0.0), "jpeg": values.get("jpeg", 0.0)}
    lab.degradation = srlab.Degradation(values.get("downsampler", "bicubic"), **made)
    if "size" in values:
        _generator(values)
    if "discriminator" in values:
        with torch.device("meta"):  # refuses patches that it can't judge
            models.build_discriminator(values["discriminator"], values["patch"], values.get("d_features", 0))
    if values.get("backbone", "auto") not in ("auto", "imagenet", "random"):
        pretrained.find_weights(values["features"].split()[0], values["backbone"])
    if lab.tricks.get("start"):
        starts.check_start(lab.start, lab.wanted)
    sets = [values["benchmark"]] if values.get("benchmark") else values.get("benchmarks", "auto").split()
    for path in sets if sets != ["auto"] else ():
        if not catalog.is_named(path) and not places.expanded(path).is_dir():
            raise SrlabError(f"There is no folder {path}; check the path of the benchmark set.")
    for run in values["runs"].split() if values.get("runs", "all") != "all" else ():
        lab_of_run, _, name = run.partition("/")
        if not (file := places.run_folder(lab_of_run, name or "default") / places.generator_file()).is_file():
            raise SrlabError(
                f"There is no run {run} with weights: {file} is missing; see srlab runs for those there are."
            )


def _generator(values: dict[str, Any]) -> dict[str, Any]:
    """Name and arguments of the generator that the recipe asks for, as a manifest has them.

    Raises
    ------
    SrlabError
        There is no such network, or it has more parameters than the recipe's limit.
    """
    import torch

    from srlab import models

    network, changes = values.get("network", "RRDBNet"), {"blocks": values["blocks"]}
    if "growth" in values:
        changes |= {"features": values["width"], "growth": values["growth"]}
    shape = models.pick_size(values["size"], network, **changes)
    shape |= {key: values[key] for key in ("fusion", "beta") if key in values}
    with torch.device("meta"):  # shapes alone
        generator = models.GENERATORS[network](**shape, scale=values["scale"])
    models.check_limit(generator, values.get("parameter_limit", 0))
    return {"network": network} | generator.config


def _real(features: str, backbone: str) -> bool:
    """Whether trained weights of the content loss are at hand, or will be downloaded."""
    if backbone in ("random", "auto"):
        return backbone == "auto" and pretrained.find_weights(features.split()[0]) is not None
    return True


def _megapixels(images: Any) -> float:
    return sum(image.shape[1] * image.shape[2] for image in images.hr) / 1e6


def _sides(images: Any) -> str:
    return " x ".join(str(side) for side in images.hr[0].shape[:0:-1])


def _run_name(recipe: Recipe, iters: int, changed: dict[str, Any]) -> str:
    """A name that the same command gives again, and another one does not: ``default``, ``gpu-100000``."""
    parts = [recipe.name, *([str(iters)] if iters else [])]
    parts += [f"{key}-{Path(value).name if isinstance(value, str) else value}" for key, value in changed.items()]
    name = re.sub(r"--(?=\d)", "-minus-", "-".join(parts))  # seed=-1 is another run than seed=1
    name = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-")
    if len(name) > LONGEST:
        raise SrlabError("So many changes make no name for a run; give it one with the parameter run.")
    return "default" if name == "laptop" else name  # the run that other labs look for


def _name_of_own(subject: str, *halves: datasets.ImageSet) -> str:
    """Part of a run's name for a photo of the reader's own; another one of that name, or a changed one, has another."""
    sign = hashlib.sha256("".join([subject, *(half.fingerprint() for half in halves)]).encode()).hexdigest()
    return f"{halves[0].names[0][:30]}-{sign[:6]}"


def _announce(lab: Lab, recipe: Recipe, values: dict[str, Any], dry: bool) -> None:
    """Say what will be trained, on what, how long and why, and what would be better."""
    print(f"recipe:  {recipe.name}, {recipe.about}")
    if not values.get("iters"):  # nothing to train
        return
    photos = f"of {lab.train_set.name}" if values.get("images") else "inside scikit-image and matplotlib"
    photos = f"{len(lab.train_set)} photos {photos} ({_megapixels(lab.train_set):.1f} megapixels)"
    if values.get("subject"):
        photos, unseen = (f"the {half.name} ({_sides(half)} pixels)" for half in (lab.train_set, lab.unseen))
    first = values.get("pretrain_iters", 0)
    first = f"{first:,} steps for PSNR (unless that is done already), then " if first else ""
    size = f"of {values['batch']} patches of {values['patch']} px"
    print(f"because  {recipe.why}")
    print(f"trains:  {first}{values['iters']:,} steps {size}, on {photos}")
    if values.get("subject"):
        print(f"shows:   {unseen}, on which it never trains")
    print(f"run:     {lab.name}/{values['run']}{_state_of(lab)}")
    if dry:
        print(recipe.text())
    elif running_shell() is not None:
        from IPython.display import display

        display({"text/html": recipe.table(), "text/plain": ""}, raw=True)
    warnings = _warnings(lab, values)
    if warnings and recipe.strict:
        raise SrlabError(f"The recipe {recipe.name} refuses what would spoil it. {' '.join(warnings)}")
    for warning in warnings:
        print(f"WARNING: {warning}")


def _warnings(lab: Lab, values: dict[str, Any]) -> list[str]:
    """What stands in the way of a good result, and the words that change it."""
    found, pixels, iters = [], _megapixels(lab.train_set), values.get("iters", 0)
    seen = (
        (iters + values.get("pretrain_iters", 0)) * values.get("batch", 0) * values.get("patch", 0) ** 2 / 1e6 / pixels
    )
    few = seen > SEEN_OFTEN and (iters > LONG or not values.get("subject"))  # a subject is to be learned by heart
    if few or (iters > LONG and values.get("size") == "paper" and pixels < FEW):
        found.append(
            f"{len(lab.train_set)} photos ({pixels:.1f} megapixels) are few for this training: it sees each pixel "
            f"{seen:,.0f} times, and the larger the network, the more of them it learns by heart. Better: "
            "-p images div2k (800 photos, downloaded once, 4 GB), or -p images path/to/photos."
        )
    looks = "backbone" in values and values["content_weight"] and iters > LONG
    random = looks and not _real(values["features"], values["backbone"])
    if random or (looks and values["features"].startswith(pretrained.OWN)):
        found.append(
            f"The content loss looks through {'random features' if random else 'the small features of the course'}, "
            "because there are no ImageNet weights here. "
            "Better: -p backbone imagenet (downloaded once), or -p backbone path/to/weights."
        )
    return found


def _state_of(lab: Lab) -> str:
    """Whether the run is there already, and what happens then."""
    manifest = srlab.Run(lab.name, lab.run).manifest()
    if manifest is None or not manifest["step"]:
        return ""
    done = f"{manifest['step']:,} of {lab.iters:,} steps"
    if manifest["step"] >= lab.iters:
        return f", which is there with {done}: nothing is trained anew"
    return f", which goes on: it has {done}"


def check_run(lab: str, run: str) -> None:
    """Refuse a run that could not be kept; after this nothing is found out late but what fills the disk meanwhile.

    Parameters
    ----------
    lab, run
        Names; "" stands for one that is still to be made.

    Raises
    ------
    SrlabError
        The name is no good, or its folder cannot be made or written to.
    """
    folder = places.run_folder(lab, run or "default")
    if len(run.encode()) > LONGEST:
        raise SrlabError(f"The name '{run}' of the run is too long; use one of at most {LONGEST} letters.")
    files.check_writable(folder, ADVICE)
    files.need_room(folder, ROOM, "A run", ADVICE)


def describe(device: Any, precision: str) -> str:
    """Versions, hardware and where the runs are, in three lines."""
    import torch

    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    numbers = {"no": "float32", "bf16": "bfloat16 mixed precision", "fp16": "float16 mixed precision"}[precision]
    return (
        f"srlab {srlab.__version__}, torch {torch.__version__}, Python {platform.python_version()}\n"
        f"device:  {device.type} ({hardware}), {numbers}\n"
        f"runs in: {seen_from_here(srlab.home())}"
    )
