"""Record what happens in one GAN step: which network ran on which image, and all gradients."""

import math
import re
from typing import Any

import torch
import torch.nn as nn
from torch.optim import SGD

from srlab_course.exercises.networks import gradients_of, watch
from srlab_course.feedback.exercise import Answer, sample
from srlab_course.feedback.value_comparison import take


def gan_scene() -> tuple[Any, ...]:
    """Return tiny networks, their optimizers and images, the same in every run."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=2))
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
    for seed, parameter in enumerate([*generator.parameters(), *discriminator.parameters()]):
        parameter.data = sample(*parameter.shape, low=-1.8, high=2.0, seed=seed)
    optimizers = (SGD(network.parameters(), lr=0.5) for network in (generator, discriminator))
    return generator, discriminator, *optimizers, sample(2, 3, 2, 2, seed=1), sample(2, 3, 4, 4, seed=2)


# What `observe` finds even if PyTorch stops the step.
CAUSES = ("the number of generator runs", "the generator's input", "a graph from SR to G", "a PyTorch error")
CAUSES += (
    "D's images in its half",
    "D's images after its step",
    "no new gradient for G in D's half",
)
_NOT_LEARNED = "{} is correct, but {} didn't learn from it: its gradient is that of another loss, or of several steps."
# Messages for what `observe` finds.
MESSAGES = {
    "the number of generator runs": "Your generator runs {given} times. It's the most expensive part of a step, and "
    "the same sr serves both halves: cut off for D, and as it is for G.",
    "the generator's input": "Pass lr to the generator, not something else.",
    "a graph from SR to G": "sr has no graph: the generator ran under no_grad, was frozen, or got the wrong input. G's "
    "half of the step needs that graph. How can D's half do without it, for the same sr?",
    "a PyTorch error": "PyTorch stopped: {given}. If this is about a graph: which one is gone, or never existed?",
    "D's images in its half": "In its half, D should get hr and sr, unchanged, but it got {given}.",
    "the order of the optimizer steps": "Take one step of D, then one of G, each with its optimizer. Yours are: "
    "{given}. If one is missing, did you forget the parentheses in step()?",
    "a gradient for D": "When d_optimizer takes its step, D has no gradient. Did you call backward before? Is there a "
    "zero_grad in between? Is D frozen?",
    "D's images after its step": "In G's half, after d_optimizer.step(), D should run again on sr, with "
    "its graph, because D's answer has changed. But it ran on {given}.",
    "a gradient for G": "When g_optimizer takes its step, G has no gradient. Did you call backward before? Is there a "
    "zero_grad in between? Does a graph lead from the loss through D to G?",
    "d_loss": "The first result is not d_loss, computed from D's logits for hr and for sr.",
    "D's gradient": _NOT_LEARNED.format("d_loss", "D"),
    "g_loss": "The second result is not g_loss(sr, hr, discriminator) after D's own step.",
    "G's gradient": _NOT_LEARNED.format("g_loss", "G"),
    "D's weights": "D's weights changed again after d_optimizer.step(). In G's half, only G should change.",
    "G's weights": "G's weights changed apart from the one g_optimizer.step(). In D's half, only D should change.",
    "training mode throughout": "A network was in eval mode for a while, or still is. In training, batch norm uses the "
    "statistics of the batch.",
    "no new gradient for G in D's half": "The gradient of d_loss flows on through sr into G. That costs time, and it "
    "trains G to be detected. For D's half, sr is data, like hr. How do you cut it off from G?",
}


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

    def updated(run: nn.Module) -> bool:  # a copy of D is watched, too
        weights = (nn.utils.parameters_to_vector(one.parameters()) for one in (run, discriminator))
        return "D" in steps and torch.equal(*weights)

    def note_g(run: nn.Module, image: torch.Tensor, sr: torch.Tensor) -> None:
        runs.append((image, sr))
        modes.append(run.training)

    def note_d(run: nn.Module, image: torch.Tensor, _: torch.Tensor) -> None:
        shown.append((image, updated(run)))
        modes.append(run.training)

    ends = [
        watch(generator, note_g),
        watch(discriminator, note_d),
        # A closure computes gradients in the step.
        d_optimizer.register_step_post_hook(lambda *_: note_step("D")).remove,
        g_optimizer.register_step_post_hook(lambda *_: note_step("G")).remove,
    ]
    before, stopped, result = gradients_of(generator), "", (math.nan, math.nan)
    try:
        result = take(answer(*scene), (0.0, 0.0))
    except RuntimeError as error:
        stopped = f"{re.split(r'[.:] | [(]', str(error))[0]} (optimizer steps before: {', '.join(steps) or 'none'})"
    finally:
        for end in ends:
            end()
    known = {"HR": [hr], "SR": [sr for _, sr in runs]}
    later = [image for image, after in shown if after]
    with_graph = any(image.requires_grad and _holds(image, sr) for image in later for sr in known["SR"])
    return {
        "the number of generator runs": len(runs),
        "the generator's input": all(torch.equal(image, lr) for image, _ in runs),
        "a graph from SR to G": any(sr.requires_grad for _, sr in runs),
        "a PyTorch error": stopped,
        "D's images in its half": _named([image for image, after in shown if not after], known),
        "the order of the optimizer steps": ", ".join(steps) or "none",
        "a gradient for D": bool(gradients["D of D"].any()),
        "D's images after its step": _named(later, known).replace("SR", "SR" if with_graph else "SR without a graph"),
        "a gradient for G": bool(gradients["G of G"].any()),
        "d_loss": result[0],
        "D's gradient": gradients["D of D"],
        "g_loss": result[1],
        "G's gradient": gradients["G of G"],
        "D's weights": nn.utils.parameters_to_vector(discriminator.parameters()).detach(),
        "G's weights": nn.utils.parameters_to_vector(generator.parameters()).detach(),
        "training mode throughout": all((*modes, generator.training, discriminator.training)),
        "no new gradient for G in D's half": not gradients["G of D"].any() or torch.equal(gradients["G of D"], before),
    }


def _named(images: list[torch.Tensor], known: dict[str, list[torch.Tensor]]) -> str:
    """Return which kinds of known images there are, and whether there is anything else."""
    kinds = [kind for kind, wanted in known.items() if any(_holds(image, one) for image in images for one in wanted)]
    all_known = [one for wanted in known.values() for one in wanted]
    odd = any(not any(_holds(one, k) for k in all_known) for batch in images for one in batch.split(1))
    return " and ".join(kinds + ["something else"] * odd) or "nothing"


def _holds(image: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Return whether a batch contains one of the wanted images."""
    if image.shape[1:] != wanted.shape[1:]:
        return False
    return bool((image[:, None] == wanted).flatten(2).all(-1).any())
