"""Record what happens in one GAN step: which network ran on which image, and all gradients."""

import math
import re
from typing import Any

import torch
import torch.nn as nn
from torch.optim import SGD

from srlab.course.difference import take
from srlab.course.exercise import Answer, sample
from srlab.course.exercises.networks import gradients_of


def gan_scene() -> tuple[Any, ...]:
    """Return tiny networks, their optimizers and images, the same in every run."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=2))
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
    for seed, parameter in enumerate([*generator.parameters(), *discriminator.parameters()]):
        parameter.data = sample(*parameter.shape, low=-1.8, high=2.0, seed=seed)
    optimizers = (SGD(network.parameters(), lr=0.5) for network in (generator, discriminator))
    return generator, discriminator, *optimizers, sample(2, 3, 2, 2, seed=1), sample(2, 3, 4, 4, seed=2)


def observe(answer: Answer, *scene: Any) -> dict[str, Any]:
    """Run one step of an answer in a scene (see `gan_scene`), and record what happened, causes before effects."""
    generator, discriminator, g_optimizer, d_optimizer, lr, hr = scene[:6]
    runs: list[tuple[torch.Tensor, torch.Tensor]] = []  # (input, output) for each run of G
    shown: list[tuple[torch.Tensor, bool]] = []  # (input, whether D's step was over and has reached it), per run of D
    steps: list[str] = []
    modes: list[bool] = []  # whether G or D was in training mode, for each run
    # "G of D" is G's gradient when D's optimizer takes its step.
    gradients = dict.fromkeys(("D of D", "G of D", "D of G", "G of G"), torch.zeros(()))

    def note_step(name: str) -> None:
        steps.append(name)
        gradients[f"D of {name}"], gradients[f"G of {name}"] = gradients_of(discriminator), gradients_of(generator)

    def updated(run: nn.Module) -> bool:  # a copy of D runs with its hooks
        weights = (nn.utils.parameters_to_vector(one.parameters()) for one in (run, discriminator))
        return "D" in steps and torch.equal(*weights)

    hooks = [
        *(net.register_forward_hook(lambda net, *_: modes.append(net.training)) for net in (generator, discriminator)),
        generator.register_forward_hook(lambda _, inputs, sr: runs.append((inputs[0], sr))),
        discriminator.register_forward_pre_hook(lambda run, inputs: shown.append((inputs[0], updated(run)))),
        d_optimizer.register_step_post_hook(lambda *_: note_step("D")),  # a closure computes gradients in the step
        g_optimizer.register_step_post_hook(lambda *_: note_step("G")),
    ]
    before, stopped, result = gradients_of(generator), "", (math.nan, math.nan)
    try:
        result = take(answer(*scene), (0.0, 0.0))
    except RuntimeError as error:
        if not re.search("does not require grad|a second time|inplace operation", str(error)):
            raise
        stopped = re.split(r"[.:\n] | \(", str(error))[0]
    finally:
        for hook in hooks:
            hook.remove()
    of_g = [(image, after) for image, after in shown if any(_holds(image, sr) for _, sr in runs)]
    known = [hr, *(sr for _, sr in runs)]
    kinds = {
        "HR": any(_holds(image, hr) for image, _ in shown),
        "SR": bool(of_g),
        "something else": any(not any(_holds(one, k) for k in known) for batch, _ in shown for one in batch.split(1)),
    }
    return {
        "a PyTorch error": stopped,
        "the number of generator runs": len(runs),
        "the generator's input": all(torch.equal(image, lr) for image, _ in runs),
        "a graph from SR to G": any(sr.requires_grad for _, sr in runs),
        "the images that D gets": " and ".join(kind for kind in kinds if kinds[kind]),
        "the order of the optimizer steps": ", ".join(steps),
        "a gradient for D": bool(gradients["D of D"].any()),
        "D runs on SR again after its step": any(after for _, after in of_g),
        "D's second SR input has a graph": any(after and image.requires_grad for image, after in of_g),
        "a gradient for G": bool(gradients["G of G"].any()),
        "d_loss": result[0],
        "D's gradient": gradients["D of D"],
        "g_loss": result[1],
        "G's gradient": gradients["G of G"],
        "D's weights": nn.utils.parameters_to_vector(discriminator.parameters()),
        "G's weights": nn.utils.parameters_to_vector(generator.parameters()),
        "training mode throughout": all((*modes, generator.training, discriminator.training)),
        "no new gradient for G in D's half": not gradients["G of D"].any() or torch.equal(gradients["G of D"], before),
    }


def _holds(image: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Return whether a batch contains one of the wanted images."""
    if image.shape[1:] != wanted.shape[1:]:
        return False
    return bool((image[:, None] == wanted).flatten(2).all(-1).any())
