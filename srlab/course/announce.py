"""What `course.setup` prints: where a lab runs, what it will train, and what would be better."""

import platform
from typing import Any

import torch
from IPython.display import display

import srlab
from srlab.base.errors import SrlabError
from srlab.base.places import seen_from_here
from srlab.base.shell import running_shell
from srlab.course.lab import Lab
from srlab.course.recipes import Recipe
from srlab.models import pretrained

SEEN_OFTEN = 200  # times that a training sees each pixel, from which on it may learn photos by heart
FEW = 30  # megapixels of photos, on which a network of the papers' size isn't trained without a word
LONG = 2000  # steps from which on random or small features hold a training back


def describe(device: Any, precision: str) -> str:
    """Versions, hardware and where the runs are, in three lines."""
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    numbers = {"no": "float32", "bf16": "bfloat16 mixed precision", "fp16": "float16 mixed precision"}[precision]
    return (
        f"srlab {srlab.__version__}, torch {torch.__version__}, Python {platform.python_version()}\n"
        f"device:  {device.type} ({hardware}), {numbers}\n"
        f"runs in: {seen_from_here(srlab.home())}"
    )


def announce(lab: Lab, recipe: Recipe, dry: bool) -> None:
    """Say what will be trained, on what, how long and why, and what would be better.

    Raises
    ------
    SrlabError
        The recipe is strict, and something stands in the way of a good result.
    """
    values = lab.parameters
    print(f"recipe:  {recipe.name}, {recipe.about}")
    if not values.get("iters"):  # nothing to train
        return
    photos = f"of {lab.train_set.name}" if values.get("images") else "inside scikit-image and matplotlib"
    photos = f"{len(lab.train_set)} photos {photos} ({megapixels(lab.train_set):.1f} megapixels)"
    if values.get("subject"):
        photos, unseen = (f"the {half.name} ({_sides(half)} pixels)" for half in (lab.train_set, lab.unseen))
    first = values.get("pretrain_iters", 0)
    first = f"{first:,} steps for PSNR (only if there's no start yet), then " if first else ""
    size = f"of {values['batch']} patches of {values['patch']} px"
    print(f"because  {recipe.why}")
    print(f"trains:  {first}{values['iters']:,} steps {size}, on {photos}")
    if values.get("subject"):
        print(f"shows:   {unseen}, on which it never trains")
    print(f"run:     {lab.name}/{values['run']}{_state_of(lab)}")
    if dry:
        print(recipe.text())
    elif running_shell() is not None:
        display({"text/html": recipe.table(), "text/plain": ""}, raw=True)
    warnings = _warnings(lab)
    if warnings and recipe.strict:
        raise SrlabError(f"The recipe {recipe.name} refuses what would spoil it. {' '.join(warnings)}")
    for warning in warnings:
        print(f"WARNING: {warning}")


def _warnings(lab: Lab) -> list[str]:
    """What stands in the way of a good result, and the words that change it."""
    values, found, pixels = lab.parameters, [], megapixels(lab.train_set)
    iters = values.get("iters", 0)
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
    random = looks and not pretrained.is_trained(values["features"], values["backbone"])
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


def megapixels(images: Any) -> float:
    """Of all images of a set."""
    return sum(image.shape[1] * image.shape[2] for image in images.hr) / 1e6


def _sides(images: Any) -> str:
    return " x ".join(str(side) for side in images.hr[0].shape[:0:-1])
