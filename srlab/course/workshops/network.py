"""Check a generator, a PSNR and a validation."""

import copy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import Answer, IncorrectAnswer, NotAttempted, filled, find, sample
from srlab.course.exercises.networks import watch_modes
from srlab.course.judging import judge
from srlab.course.workshops.promises import Promise
from srlab.evaluation import metrics

RGB = metrics.Protocol(color="rgb", quantize=False)


def generator(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a new generator upscales images of any size by four, each by itself, and that all of it can learn."""
    network = filled(mine.Generator())
    shapes = {(h, w): tuple(network(sample(2, 3, h, w)).shape) for h, w in ((16, 16), (17, 23), (40, 9))}
    yield (
        all(shape == (2, 3, 4 * h, 4 * w) for (h, w), shape in shapes.items()),
        f"Any size becomes four times as large: {', '.join(f'{size} -> {s[2:]}' for size, s in shapes.items())}.",
        "A convolution that keeps the size needs padding, and nothing may depend on a fixed height or width.",
    )
    two = sample(2, 3, 12, 15)
    network.eval()
    with torch.no_grad():
        change = (network(two)[:1] - network(two[:1])).abs().max().item()
    yield (
        change < 1e-4,
        f"In eval mode, an image is upscaled by itself: another one in the batch changes the result by {change:.1g}.",
        "Does a layer mix the images of a batch? dim=0 is the image, dim=1 the channel.",
    )
    network.train()
    network(two).square().mean().backward()
    parameters = {name: one for name, one in network.named_parameters() if one.requires_grad}
    unused = [name for name, parameter in parameters.items() if parameter.grad is None]
    yield (
        not unused,
        f"All parameters can learn: {len(parameters) - len(unused)} of {len(parameters)} tensors get a gradient.",
        f"The forward pass doesn't use {', '.join(unused[:3])}.",
    )


def psnr(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check a PSNR on known pairs, with the cases and hints of lab 00."""
    try:
        for word, text in judge(find("degradation.psnr"), mine.psnr):
            if word == "passed":
                yield True, f"PSNR equals the reference: {text}.", ""
    except NotAttempted:
        raise
    except IncorrectAnswer as error:
        yield False, "PSNR differs from the reference on a known pair.", str(error)


def validation(mine: ModuleType, folder: Path) -> Iterator[Promise]:
    """Check that a validation scores a network as at inference, and leaves it as it was."""
    pairs = [(sample(1, 3, h, w, seed=h), sample(1, 3, 4 * h, 4 * w, seed=w)) for h, w in ((8, 10), (9, 6))]
    first, second = (_validated(mine.validate, pairs, training) for training in (True, False))
    runs = first["modes"] + second["modes"]
    yield (
        bool(runs) and not any(runs),
        f"The generator is scored in eval mode: it ran {len(runs)} times, {sum(runs)} of them in training mode.",
        "With batch norm or dropout, a network computes something else in training mode.",
    )
    names = {True: "training", False: "eval"}
    yield (
        first["mode"] and not second["mode"],
        f"The mode is restored: after training mode it is {names[first['mode']]} mode, after eval mode "
        f"{names[second['mode']]} mode.",
        "Remember generator.training at the start, and restore it at the end.",
    )
    kept = first["state"] and second["state"]
    yield (
        kept,
        f"Weights and running statistics are {'unchanged' if kept else 'changed'}.",
        "In training mode, batch norm's running statistics move toward the photos that you score.",
    )
    kept = first["gradients"] and second["gradients"]
    yield (
        kept,
        f"Gradients are {'left alone, and no graph is built' if kept else 'changed, or a graph is built'}.",
        "Score inside a `with` block that switches graphs off, and don't clear gradients: the training step owns them.",
    )
    scores = [first["score"], second["score"]]
    yield (
        all(abs(score - wanted["reference"]) < 1e-3 for score, wanted in zip(scores, (first, second), strict=True)),
        f"The score is {scores[0]:.3f} dB for a network in training mode and {scores[1]:.3f} dB in eval mode; the "
        f"reference is {first['reference']:.3f} dB.",
        "It should be the mean over the pairs of psnr(sr, hr, 4): a mean of decibels.",
    )


def _validated(validate: Answer, pairs: list[tuple[torch.Tensor, torch.Tensor]], training: bool) -> dict[str, Any]:
    """Observe a validation of a tiny network with batch norm that has gradients and is in one of its modes."""
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Upsample(scale_factor=4), nn.Sigmoid())
    for seed, parameter in enumerate(network.parameters()):
        parameter.data, parameter.grad = sample(*parameter.shape, seed=seed), torch.ones_like(parameter)
    with torch.no_grad():
        reference = sum(metrics.psnr(network.eval()(lr), hr, RGB).item() for lr, hr in pairs) / len(pairs)
    before, runs = copy.deepcopy(network.train(training).state_dict()), watch_modes(network)
    score = float(filled(validate(network, pairs)))
    gradients = [p.grad is not None and bool((p.grad == 1).all()) for p in network.parameters()]
    return {
        "modes": [mode for mode, _ in runs],
        "mode": network.training,
        "state": all(torch.equal(value, before[name]) for name, value in network.state_dict().items()),
        "gradients": all(gradients) and torch.is_grad_enabled() and not any(graph for _, graph in runs),
        "score": score,
        "reference": reference,
    }
