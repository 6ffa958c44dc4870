"""`setup`, which the first cell of a lab calls: check the parameters, choose a recipe, and build the `Lab`.

Read `setup` from top to bottom: parameters, hardware, recipe, photos, run name, and last the `Lab`.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from types import TracebackType
from typing import Any

import torch

import srlab
from srlab import devices, models, paths
from srlab.data import catalog
from srlab.data.patch_sampler import check_pairs
from srlab.errors import SrlabError
from srlab.models import backbones, features
from srlab.shell import running_shell
from srlab_course.figures import plots
from srlab_course.lab.announce import announce, megapixels, print_hardware
from srlab_course.lab.earlier.start import check_start, with_own_start
from srlab_course.lab.lab import Lab, generator_of
from srlab_course.lab.parameters import read_parameters
from srlab_course.lab.photos import choose_photos, find_subject, large_enough, planned_set
from srlab_course.lab.recipes import Book, Machine, Recipe, pick_recipe, read_book
from srlab_course.lab.run_names import changes, check_run, made_with, name_run, refuse_changes
from srlab_course.lab.settings import STAGES

# Attribute of `srlab.Degradation` -> parameter of a lab, which has the same name except for two.
DEGRADATION = {field.name: field.name for field in fields(srlab.Degradation)}
DEGRADATION |= {"method": "downsampler", "noise": "image_noise"}


def setup(name: str, namespace: Mapping[str, Any], dry: bool = False, whole: bool = False) -> Lab:
    """Check a lab's parameters, choose its recipe, print what it will train, and set the style of its figures.

    Papermill accepts any ``-p`` name, so typos are detected here. Errors of later cells are raised early.

    Parameters
    ----------
    name
        Name of the lab, for example ``"01_srresnet"``.
    namespace
        The notebook's variables: ``globals()``.
    dry
        Whether to download nothing, for ``srlab plan``: placeholders of the same size replace missing datasets.
    whole
        Whether to print all settings in a terminal, and not only those that differ from the recipe.
    """
    book = read_book(paths.recipes() / f"{name}.py")
    defaults = book.parameters
    given, overrides = read_parameters(book.lab, namespace)
    if "run" in given:
        check_run(name, given["run"])
    made = made_with(name, given["run"]) if given.get("run") else None
    if made:  # a named run also keeps its steps, unless you pass others
        own = book.recipes[made["recipe"]].values() if made["recipe"] in book.recipes else {}
        kept = {stage: made["steps"].get(stage) for stage in STAGES}
        kept = {stage: steps for stage, steps in kept.items() if steps not in (None, own.get(stage))}
        given["iters"] = given["iters"] or kept.get("iters", 0)
        overrides = {stage: steps for stage, steps in kept.items() if stage != "iters"} | overrides
    device = srlab.pick_device(given["device"])
    precision = srlab.pick_precision(given.get("precision", "auto"), device)
    print_hardware(device, precision, given["device"])
    plots.set_style()
    if shell := running_shell():
        shell.set_custom_exc((NameError,), explain_name_error)
    read, scale = planned_set if dry else srlab.load_images, given.get("scale", 4)
    offered = read(given["images"], scale) if given.get("images") else srlab.bundled_photos("train")
    recipe = _choose_recipe(book, given, overrides, device, offered, made["recipe"] if made else None)
    subject = find_subject(given, recipe.values.get("subject", ""))
    values = given | recipe.values | {"recipe": recipe.name, "subject": subject}
    train_set, unseen = choose_photos(values, offered, read)
    changed = changes(defaults, given, values) | overrides
    iters = given.get("iters", 0)
    values["run"] = given.get("run") or name_run(recipe.name, iters, changed, train_set, unseen)
    if "discriminator" in values:  # D halves the size of the patch four times
        block = math.lcm(16, scale)
        values["patch"] = -(-values["patch"] // block) * block
    elif "patch" in values:
        values["patch"] -= values["patch"] % scale
    train_set, unseen = large_enough(values, train_set, unseen, book.lab)
    if made:
        refuse_changes(made, recipe.name, changed, defaults | book.recipe(recipe.name).values(), train_set)
    degradation = {name: values[parameter] for name, parameter in DEGRADATION.items() if parameter in values}
    unlike_claims = bool(iters or changed.keys() - {"seed", "backbone"})  # the claims do not depend on these two
    lab = book.recipe(recipe.name)(
        name=name,
        device=device,
        precision=precision,
        train_set=train_set,
        unseen=unseen,
        degradation=srlab.Degradation(**degradation),
        overrides=overrides,
        is_reference_config=recipe.name in ("laptop", "smoke") and not unlike_claims and device.type == "cpu",
        parameters=values,
        changed=changed,
        beyond_answers=book.lab.not_followed(values),
    )
    _check_what_comes_later(lab)
    lab = with_own_start(lab)
    announce(lab, recipe, whole)
    return lab


def _choose_recipe(
    book: Book, given: dict[str, Any], overrides: dict[str, Any], device: Any, photos: Any, kept: str | None
) -> Recipe:
    """Return the recipe by name, of an existing run (`kept`) or by hardware, with the user's steps and overrides."""
    machine = Machine(device.type, devices.memory_gib(device), given.get("iters", 0), megapixels(photos))
    recipe = pick_recipe(book, kept if kept and given["recipe"] == "auto" else given["recipe"], machine)
    if kept and given["recipe"] == "auto":
        recipe = replace(recipe, why=f"the run {given['run']} was made with it")
    if "backbone" in given and not backbones.is_trained(recipe.values["features"], given["backbone"]):
        note = f"; without ImageNet weights it uses features and losses for {backbones.OWN}, trained in the course"
        without = book.recipe(recipe.name).without_weights
        recipe = replace(recipe, why=recipe.why + (note if without else ""))
        recipe = recipe.changed_by(without, "this course, because ImageNet weights were not found")
    named = {"subject": given["subject"]} if given.get("subject", "auto") != "auto" else {}
    return recipe.laid_out(machine.iters, overrides).changed_by(overrides | named)


def _check_what_comes_later(lab: Lab) -> None:
    """Fail early: raise the errors of later cells before anything is computed."""
    values = lab.parameters
    check_pairs(lab.train_set, values.get("scale", 4), lab.degradation)
    if lab.train_set.lr is not None and "pool" in values:  # lab 07
        raise SrlabError(f"{lab.name} makes its LR images from HR. Pass only the folder HR of {lab.train_set.name}.")
    if "size" in values:
        generator_of(values)
    if "batch" in values and not lab.train_set.pixels.is_meta:
        first = lab.train_set.subset(lab.train_set.names[0])
        # This raises what training would.
        srlab.PatchSampler(first, values.get("scale", 4), values["patch"], values["batch"], lab.degradation)
    if "discriminator" in values:
        # This rejects unsuitable patch sizes. Not on the meta device, where spectral norm would take seconds.
        with torch.random.fork_rng(devices=[]):
            models.build_discriminator(values["discriminator"], values["patch"], values.get("d_features", 0))
    if "features" in lab.overrides:
        features.parse(values["features"])  # only if changed, because it imports torchvision, which takes a second
    if values.get("backbone", "auto") not in ("auto", "imagenet", "random"):
        backbones.find_weights(values["features"].split()[0], values["backbone"])
    if lab.overrides.get("start"):
        check_start(lab)
    sets = [values["benchmark"]] if values.get("benchmark") else values.get("benchmarks", "auto").split()
    for path in sets if sets != ["auto"] else ():
        if not catalog.is_named(path) and not paths.find_in_course(path).is_dir():
            raise SrlabError(f"Benchmark folder {path} not found. Check the path.")


def explain_name_error(
    shell: Any, kind: type[NameError], error: NameError, trace: TracebackType, tb_offset: int | None = None
) -> None:
    """Show a NameError with advice, in case a cell was run too early."""
    if not isinstance(error, UnboundLocalError):  # a local variable is not from another cell
        error.add_note(
            f"If a cell above defines {error.name}, run it first (menu Run > Run All Above Selected Cell). Then run "
            "this cell again."
        )
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
