"""Load the projects of the extra *Four sick runs*, and measure a repaired one by what it does."""

import copy
import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

import srlab
from srlab import paths
from srlab_course.feedback.exercise import Answer, IncorrectAnswer, filled
from srlab_course.material.subjects import split_photo

Photos = dict[str, torch.Tensor]
Pairs = list[tuple[torch.Tensor, torch.Tensor]]


def load_project(letter: str) -> ModuleType:
    """Run a project's file and return its module, a new one in each call."""
    file = paths.recipes().parent / "extras" / "sick_runs" / f"project_{letter}.py"
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def photos_for(letter: str) -> tuple[Photos, Pairs]:
    """Return the training photos and the held-out pairs of a project: all bundled photos, or halves of the gravel."""
    train, held_out = srlab.bundled_photos("train"), srlab.bundled_photos("validation")
    if letter == "d":
        train, held_out = split_photo("gravel")
    crops = [image for _, image in held_out.center_crop(128)]
    return {name: image[0] for name, image in train}, [(shrink(hr), hr) for hr in crops]


def shrink(hr: torch.Tensor) -> torch.Tensor:
    """Downscale by 4 as the projects do."""
    size = [side // 4 for side in hr.shape[-2:]]
    return F.interpolate(hr, size, mode="bicubic", antialias=True).clamp(0, 1)


def gain(generator: nn.Module, pairs: Pairs) -> float:
    """Return the mean PSNR of a network in eval mode over that of bicubic upscaling, in dB."""
    network = copy.deepcopy(generator).eval()
    with torch.no_grad():
        over = [psnr(network(lr), hr) - psnr(F.interpolate(lr, scale_factor=4, mode="bicubic"), hr) for lr, hr in pairs]
    return sum(over) / len(over)


def psnr(sr: torch.Tensor, hr: torch.Tensor) -> float:
    """Return the PSNR of one image as in the projects, in dB."""
    error = (sr.clamp(0, 1) - hr)[..., 4:-4, 4:-4]
    return -10 * error.square().mean().log10().item()


def observed(measure: Callable[[ModuleType], dict[str, Any]]) -> Callable[[Answer, ModuleType], dict[str, Any]]:
    """Return an observation of an exercise: it repairs a project with the answer, and measures the project."""

    def observe(answer: Answer, project: ModuleType) -> dict[str, Any]:
        if filled(answer(project)) is not project:
            raise IncorrectAnswer("Return the project that you got, after you have replaced something in it.")
        return measure(project)

    return observe
