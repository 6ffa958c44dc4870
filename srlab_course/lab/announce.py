"""The text that `course.setup` prints: where a lab runs, what it trains, and how to get better results."""

import platform
from typing import Any

import torch
from IPython.display import display

import srlab
from srlab import devices
from srlab.errors import SrlabError
from srlab.models import backbones
from srlab.shell import running_shell
from srlab_course.figures import show
from srlab_course.lab.lab import Lab
from srlab_course.lab.recipes import Recipe
from srlab_course.lab.run_code import text_in
from srlab_course.layout import WIDTH, in_columns, in_lines, seen_from_here

SEEN_OFTEN = 200  # times that training sees each pixel; above this, the network may memorize the photos
FEW = 30  # megapixels of training photos; with fewer, a long run triggers a warning
LONG = 2000  # steps; in longer runs, few photos, and random or small features limit the result


def print_hardware(device: torch.device, precision: str, typed: str) -> None:
    """Print versions, hardware, the folder of runs, and why a GPU is not used."""
    threads = f"{torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else threads
    numbers = {"fp32": "float32", "bf16": "bfloat16 mixed precision"}[precision]
    print(f"srlab {srlab.__version__}, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"device:  {device.type} ({hardware}), {numbers}")
    print(f"runs in: {seen_from_here(srlab.runs_home())}")
    if typed == "auto" and device.type == "cpu" and (reason := devices.unused_gpu()):
        print(in_lines("WARNING: " if torch.version.cuda else "note:    ", reason))


def announce(lab: Lab, recipe: Recipe, whole: bool = False) -> None:
    """Print warnings, and what is trained, on which photos and for how long. A strict recipe raises its warnings.

    A table lists all settings in a notebook, which folds it. In a terminal it lists those that differ from the recipe,
    and the others if `whole`.
    """
    values, warnings = lab.parameters, _warnings(lab, recipe)
    if warnings and lab.strict:
        raise SrlabError(f"Recipe {recipe.name} is strict and does not run with warnings. {' '.join(warnings)}")
    show.warn([in_lines("WARNING: ", warning) for warning in warnings])
    print(in_lines("recipe:  ", f"{recipe.name}, {recipe.description}"))
    if "seed" in values:
        print(f"seed:    {values['seed']}")
    if not values.get("iters"):  # nothing to train
        return
    photos = f"from {lab.train_set.name}" if values.get("images") else "from scikit-image and matplotlib"
    photos = f"{_count(lab.train_set)} {photos} ({megapixels(lab.train_set):.1f} megapixels)"
    if values.get("subject"):
        photos, unseen = (
            f"the {half.name} ({half.hr[0].shape[2]} x {half.hr[0].shape[1]} pixels)"
            for half in (lab.train_set, lab.unseen)
        )
    first = values.get("pretrain_iters", 0)
    unless = " (only if no pretrained network is found)" if values.get("start") else ""
    first = f"{first:,} steps of pretraining{unless}, then " if first else ""
    print(in_lines("because  ", recipe.why))
    steps = f"{first}{values['iters']:,} steps"
    print(in_lines("trains:  ", f"{steps} of {values['batch']} patches of {values['patch']} px, on {photos}"))
    if lab.beyond_answers:
        settings = ", ".join(f"{name}={value!r}" for name, value in lab.beyond_answers.items())
        print(in_lines("code:    ", f"srlab's own in place of the answers, which can't follow {settings}"))
    if lab.train_set.lr is not None:
        note = "" if lab.unseen is None or lab.unseen.lr is not None else ", but for validation made with bicubic"
        print(in_lines("LR:      ", f"the LR images in {lab.train_set.name}, unchanged{note}"))
    if values.get("subject"):
        print(in_lines("shows:   ", f"{unseen}, which is held out"))
    if running_shell() is not None:
        display({"text/html": recipe.table(), "text/plain": ""}, raw=True)
    elif len(rows := recipe.rows(whole)) > 1:
        print(in_columns(rows, WIDTH))
    print(in_lines("run:     ", f"{lab.name}/{values['run']}{_progress_of(lab)}"))


def _progress_of(lab: Lab) -> str:
    """Return the progress of the run and how it continues, or "" for a new run."""
    run, iters = srlab.Run(lab.name, lab.parameters["run"]), lab.parameters["iters"]
    manifest = run.manifest()
    if manifest is None or not manifest["step"]:
        return ""
    done = f"{manifest['step']:,} of {iters:,} steps"
    if manifest["step"] >= iters:
        unless = " unless your code or the network that it begins with has changed" if text_in(run) else ""
        return f", already trained for {done}; it is not trained again{unless}"
    return f", resuming after {done}"


def _warnings(lab: Lab, recipe: Recipe) -> list[str]:
    """Return warnings about what limits the result, with parameters that improve it."""
    values, warnings, pixels = lab.parameters, [], megapixels(lab.train_set)
    iters = values.get("iters", 0)
    long = iters > LONG
    steps = iters + (0 if values.get("start") else values.get("pretrain_iters", 0))
    seen = steps * values.get("batch", 0) * values.get("patch", 0) ** 2 / 1e6 / pixels
    aim = values.get("subject") and not (long and recipe.sources["iters"] == "you")  # to memorize a subject
    if not aim and (seen > SEEN_OFTEN or (long and pixels < FEW)):
        small = values.get("size", "paper") != "paper"
        network = f"the small network of the recipe {recipe.name}" if small else "the network"
        larger = " For a network of the size in papers, add -p recipe gpu." if small else ""
        warnings.append(
            f"This trains {network} for {steps:,} steps on {_count(lab.train_set)} ({pixels:.1f} megapixels), and "
            f"sees each pixel {seen:,.0f} times, so it may memorize them. Use more photos: -p images div2k (800 "
            f"photos, 4 GB, downloaded once) or -p images path/to/photos.{larger}"
        )
    if "backbone" in values and values["content_weight"] and long:
        random = not backbones.is_trained(values["features"], values["backbone"])
        if random or values["features"].startswith(backbones.OWN):
            warnings.append(
                f"The content loss uses {'random features' if random else 'small course-trained features'}, because "
                "ImageNet weights were not found. Use -p backbone imagenet (downloaded once) or "
                "-p backbone path/to/weights."
            )
    return warnings


def megapixels(images: Any) -> float:
    """Return the total number of megapixels in a set of images."""
    return sum(image.shape[1] * image.shape[2] for image in images.hr) / 1e6


def _count(images: srlab.ImageSet) -> str:
    return f"{len(images)} photo{'' if len(images) == 1 else 's'}"
