"""What the first cell of a lab calls: `setup`, which checks all that was typed and chooses the rest.

`setup` reads from top to bottom: what was typed, the hardware, the recipe, the photos, the name of the run. Only then
the `Lab` is made, once and whole.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import torch

import srlab
from srlab import models
from srlab.base import devices, places
from srlab.base.errors import SrlabError
from srlab.course import missing_names, starts
from srlab.course.announce import announce, describe, megapixels
from srlab.course.lab import Lab, generator_of
from srlab.course.parameters import read_parameters
from srlab.course.photos import choose_photos
from srlab.course.recipes import Book, Recipe, pick_recipe, read_book
from srlab.course.run_names import NOT_IN_NAME, check_run, name_run
from srlab.data import catalog, datasets
from srlab.data.subjects import subject_file
from srlab.models import pretrained
from srlab.view import plots


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
    book = read_book(places.recipes() / f"{name}.yaml")
    labs = [value for value in namespace.values() if isinstance(value, Lab) and value.name == name]
    earlier = labs[-1].typed if labs else None
    given, tricks = read_parameters(book, namespace, earlier)
    if "run" in given:
        check_run(name, given["run"])
    device, precision = _pick_hardware(given)
    plt.rcParams["axes.prop_cycle"] = plots.line_styles()
    missing_names.explain_missing_names()
    read, scale = datasets.stand_in if dry else srlab.image_set, given.get("scale", 4)
    offered = read(given["images"], scale) if given.get("images") else srlab.photos("train")
    recipe = _choose_recipe(book, given, tricks, device, offered)
    values = given | recipe.values | {"recipe": recipe.name, "subject": _subject(given, recipe)}
    train_set, unseen = choose_photos(values, offered, read)
    changed = _changed(book, given, values)
    values["run"] = given.get("run") or name_run(
        recipe.name, given.get("iters", 0), changed | tricks, train_set, unseen
    )
    if "patch" in values:
        values["patch"] = _whole_patch(values)
    train_set, unseen = _large_enough(values, train_set, unseen, book.sides)
    made = {"blur": values.get("blur", 0.0), "noise": values.get("lr_noise", 0.0), "jpeg": values.get("jpeg", 0.0)}
    own = tricks or given.get("iters") or changed.keys() - {"seed", "backbone"}  # its claims depend on neither
    lab = Lab(
        name=name,
        device=device,
        precision=precision,
        train_set=train_set,
        unseen=unseen,
        degradation=srlab.Degradation(values.get("downsampler", "bicubic"), **made),
        tricks=tricks,
        typed=tricks.keys() & namespace.keys() if earlier is None else earlier,
        as_tried=recipe.name in ("laptop", "smoke") and not own and device.type == "cpu",
        parameters=values,
    )
    _check_what_comes_later(lab)
    announce(lab, recipe, dry)
    return lab


def _pick_hardware(given: dict[str, Any]) -> tuple[Any, str]:
    """Device and precision, which are printed, with what keeps a GPU from being used."""
    device = srlab.pick_device(given["device"])
    precision = srlab.pick_precision(given.get("precision", "auto"), device)
    print(describe(device, precision))
    if given["device"] == "auto" and device.type == "cpu" and (reason := devices.unused_gpu()):
        print(f"WARNING: {reason}")
    return device, precision


def _choose_recipe(book: Book, given: dict[str, Any], tricks: dict[str, Any], device: Any, photos: Any) -> Recipe:
    """The recipe that is asked for or that fits, laid out for the number of steps, with what the reader changed."""
    facts = {"device": device.type, "iters": given.get("iters", 0), "memory_gib": devices.memory_gib(device)}
    facts |= {"processes": devices.from_torchrun("WORLD_SIZE") or 1, "megapixels": megapixels(photos)}
    recipe = pick_recipe(book, given["recipe"], facts)
    if "backbone" in given and not pretrained.is_trained(recipe.values["features"], given["backbone"]):
        note = f"; without ImageNet weights it has features and losses for {pretrained.OWN}, the course's own network"
        recipe = replace(recipe, why=recipe.why + (note if recipe.without_weights else ""))
        recipe = recipe.changed_by(recipe.without_weights, "this course, as there are no ImageNet weights here")
    named = {"subject": given["subject"]} if given.get("subject", "auto") != "auto" else {}
    return recipe.laid_out(facts["iters"]).changed_by(tricks | named)


def _subject(given: dict[str, Any], recipe: Recipe) -> str:
    """The photo to learn by halves, an embedded one or the full path of a file; "" where other photos are named."""
    subject = recipe.values.get("subject", "")
    if others := [name for name in ("images", "validation") if given.get(name)]:
        if given.get("subject", "auto") not in ("auto", ""):
            print(f"The subject {subject} is not used, because you have set {' and '.join(others)}.")
        return ""
    return subject if subject in ("", *datasets.PHOTOS) else str(subject_file(subject))


def _changed(book: Book, given: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are not the lab's own and act on what is trained, by name."""
    others = given.get("images") or given.get("validation")  # beside which a subject is not used
    changed = [key for key, value in given.items() if key not in NOT_IN_NAME and value != book.parameters[key]]
    return {key: values[key] for key in changed if key != "subject" or not others}


def _whole_patch(values: dict[str, Any]) -> int:
    """The patch as a whole number of LR pixels, and of the blocks that a discriminator can halve four times."""
    scale, patch = values.get("scale", 4), values["patch"]
    if "discriminator" in values:
        block = math.lcm(16, scale)
        return -(-patch // block) * block
    return patch - patch % scale


def _large_enough(values: dict[str, Any], train_set: Any, unseen: Any, sides: dict[str, int]) -> tuple[Any, Any]:
    """Leave out photos too small for what the lab does with them, also after its training, and say so.

    Raises
    ------
    SrlabError
        None is large enough, or the reader's own photo is too small.
    """
    scale = values.get("scale", 4)
    train_set = train_set.at_least(values.get("patch", 1))
    unseen = unseen.at_least(max(sides.get("validation", 1), 12 * scale))
    if values.get("photo"):
        height, width = srlab.read_image(values["photo"]).shape[-2:]
        if min(height, width) < (least := max(sides["photo"], 16 * scale)):
            raise SrlabError(f"{values['photo']} is {width} x {height}; this lab needs {least} pixels a side or more.")
    return train_set, unseen


def _check_what_comes_later(lab: Lab) -> None:
    """Refuse what a later cell would, before anything is computed.

    Raises
    ------
    SrlabError
        The network, a weights file, the start, a benchmark set, or a run to compare
        won't do.
    """
    values = lab.parameters
    if "size" in values:
        generator_of(values)
    if "discriminator" in values:
        # It refuses patches that it can't judge. On the meta device its spectral norm would take seconds.
        with torch.random.fork_rng(devices=[]):
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
