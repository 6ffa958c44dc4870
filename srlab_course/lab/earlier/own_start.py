"""The student's network of lab 01 as the pretrained network of later labs, if it is good enough."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

import srlab
from srlab.training.runs import Run
from srlab_course.lab.earlier.start import BUNDLED, begun_with, find_start
from srlab_course.lab.earlier.trained import is_own, newest_run
from srlab_course.lab.lab import Lab

LAB = "01_srresnet"
ENOUGH = 1.0  # least gain over bicubic in dB, the mean over the bundled validation photos; lab 01 reaches 1.5


def with_own_start(lab: Lab, named: bool = False) -> Lab:
    """Return a lab that starts from the student's network of lab 01 instead of the bundled one, if that fits.

    The network has to be trained with the student's code, have the architecture that the lab trains, and gain at least
    `ENOUGH` over bicubic. A run that has begun with the bundled network stays as it is: the lab then trains another
    run, except if the user `named` this one.
    """
    if lab.parameters.get("start") != BUNDLED or "start" in lab.overrides or not (name := newest_run(LAB)):
        return lab
    own, made = f"{LAB}/{name}", Run(LAB, name).manifest()["parameters"]
    if not is_own(own) or made["generator"]["network"] != lab.start_requirements.network["network"]:
        return lab
    other = begun_with(Run(lab.name, lab.run)) not in ("", own)
    if other and named:
        return lab
    network, found = find_start([own], lab.start_requirements)
    if not found:
        return lab
    gain = _gain(network, lab)
    measured = f"{own} gains {gain:.2f} dB over bicubic on the validation photos of the course"
    if gain < ENOUGH:
        print(f"Your network {measured}, less than {ENOUGH:g} dB, so the bundled network is the pretrained one.")
        return lab
    print(f"Your network is the pretrained one: {measured}.")
    run = f"{lab.run}-yours-{made['code']}" if other else lab.run
    return replace(lab, parameters=lab.parameters | {"start": own, "run": run}, is_reference_config=False)


def _gain(network: nn.Module, lab: Lab) -> float:
    """Return by how many decibels a network is ahead of bicubic on the bundled validation photos."""
    photos = srlab.bundled_photos("validation").with_lr(lab.degradation, lab.scale)

    def score(upscaler: Callable[[torch.Tensor], torch.Tensor]) -> float:
        return srlab.evaluate(upscaler, photos, lab.scale).psnr.mean()

    return score(network) - score(lambda lr: srlab.upsample(lr, lab.scale))
