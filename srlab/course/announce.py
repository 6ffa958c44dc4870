"""The text that `course.setup` prints: where a lab runs, what it will train, and how to get better results."""

import platform
from typing import Any

import torch
from IPython.display import display

import srlab
from srlab import devices
from srlab.course.lab import Lab
from srlab.course.recipes import Recipe
from srlab.errors import SrlabError
from srlab.models import pretrained
from srlab.paths import seen_from_here
from srlab.shell import running_shell
from srlab.text import in_columns

SEEN_OFTEN = 200  # times that training sees each pixel; above this, the network may memorize the photos
FEW = 30  # megapixels of training photos; with fewer, a network of the papers' size gets a warning
LONG = 2000  # steps; in longer runs, random or small features limit the result


def print_hardware(device: torch.device, precision: str, typed: str) -> None:
    """Print versions, hardware, where the runs are, and why a GPU is not used."""
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    numbers = {"no": "float32", "bf16": "bfloat16 mixed precision", "fp16": "float16 mixed precision"}[precision]
    print(f"srlab {srlab.__version__}, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"device:  {device.type} ({hardware}), {numbers}")
    print(f"runs in: {seen_from_here(srlab.home())}")
    if typed == "auto" and device.type == "cpu" and (reason := devices.unused_gpu()):
        print(f"WARNING: {reason}")


def announce(lab: Lab, recipe: Recipe, dry: bool) -> None:
    """Print what will be trained, on what, for how long, and warnings; raise them if the recipe is strict."""
    values = lab.parameters
    print(f"recipe:  {recipe.name}, {recipe.description}")
    if not values.get("iters"):  # nothing to train
        return
    photos = f"of {lab.train_set.name}" if values.get("images") else "inside scikit-image and matplotlib"
    photos = f"{len(lab.train_set)} photos {photos} ({megapixels(lab.train_set):.1f} megapixels)"
    if values.get("subject"):
        photos, unseen = (
            f"the {half.name} ({half.hr[0].shape[2]} x {half.hr[0].shape[1]} pixels)"
            for half in (lab.train_set, lab.unseen)
        )
    first = values.get("pretrain_iters", 0)
    first = f"{first:,} steps for PSNR (only if there's no start yet), then " if first else ""
    print(f"because  {recipe.why}")
    print(
        f"trains:  {first}{values['iters']:,} steps of {values['batch']} patches of {values['patch']} px, on {photos}"
    )
    if values.get("subject"):
        print(f"shows:   {unseen}, on which it never trains")
    print(f"run:     {lab.name}/{values['run']}{_progress_of(lab)}")
    if dry:
        print(in_columns(recipe.rows()))
    elif running_shell() is not None:
        display({"text/html": recipe.table(), "text/plain": ""}, raw=True)
    warnings = _warnings(lab)
    if warnings and recipe.strict:
        raise SrlabError(f"The recipe {recipe.name} allows no warnings. {' '.join(warnings)}")
    for warning in warnings:
        print(f"WARNING: {warning}")


def _progress_of(lab: Lab) -> str:
    """Return how far the run is and how it continues, or "" for a new run."""
    manifest = srlab.Run(lab.name, lab.run).manifest()
    if manifest is None or not manifest["step"]:
        return ""
    done = f"{manifest['step']:,} of {lab.iters:,} steps"
    if manifest["step"] >= lab.iters:
        return f", which is there with {done}: nothing is trained anew"
    return f", which goes on: it has {done}"


def _warnings(lab: Lab) -> list[str]:
    """Return what limits the result, with the parameters that change it."""
    values, warnings, pixels = lab.parameters, [], megapixels(lab.train_set)
    iters = values.get("iters", 0)
    long = iters > LONG
    steps = iters + values.get("pretrain_iters", 0)
    seen = steps * values.get("batch", 0) * values.get("patch", 0) ** 2 / 1e6 / pixels
    few = seen > SEEN_OFTEN and (long or not values.get("subject"))  # memorizing a subject is the aim
    if few or (long and values.get("size") == "paper" and pixels < FEW):
        warnings.append(
            f"{len(lab.train_set)} photos ({pixels:.1f} megapixels) are few for this training: it sees each pixel "
            f"{seen:,.0f} times, and the larger the network, the more of them it memorizes. Better: "
            "-p images div2k (800 photos, downloaded once, 4 GB), or -p images path/to/photos."
        )
    if "backbone" in values and values["content_weight"] and long:
        random = not pretrained.is_trained(values["features"], values["backbone"])
        if random or values["features"].startswith(pretrained.OWN):
            warnings.append(
                f"The content loss uses {'random features' if random else 'the small features of the course'}, because "
                "there are no ImageNet weights here. Better: -p backbone imagenet (downloaded once), or "
                "-p backbone path/to/weights."
            )
    return warnings


def megapixels(images: Any) -> float:
    """Return the megapixels of all images of a set."""
    return sum(image.shape[1] * image.shape[2] for image in images.hr) / 1e6
