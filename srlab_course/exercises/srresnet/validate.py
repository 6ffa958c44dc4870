"""Lab 01: scoring a network on held-out photos without changing it."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn

from srlab.evaluation.metrics import psnr
from srlab_course.exercises.networks import watch_modes
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab_course.feedback.value_comparison import take


def validate(generator: nn.Module, pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Score a network during training, and leave it as it was.

    Parameters
    ----------
    generator
        Network that maps LR to SR, in either mode.
    pairs
        LR and HR of each photo, ``(1, 3, h, w)`` and ``(1, 3, scale * h, scale * w)``, in [0, 1].

    Returns
    -------
    float
        Mean PSNR over the photos, in dB.
    """
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        scores = [psnr(generator(lr), hr).item() for lr, hr in pairs]
    generator.train(was_training)
    return sum(scores) / len(scores)


def _scene(training: bool) -> tuple[Any, ...]:
    """Return a tiny generator with batch norm, in one of its modes, and three photos of different sizes."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Upsample(scale_factor=4)).train(training)
    for seed, parameter in enumerate(generator.parameters()):
        parameter.data = sample(*parameter.shape, low=0.1, high=0.6, seed=seed)
    sizes = ((12, 5), (8, 10), (9, 6))  # the median is neither the mean nor the first or the last
    return generator, [
        (sample(1, 3, h, w, seed=h), sample(1, 3, 4 * h, 4 * w, low=0.2, high=0.9, seed=h + 1)) for h, w in sizes
    ]


def _observe(answer: Answer, generator: Any, pairs: Any) -> dict[str, Any]:
    before, training = generator[1].running_mean.clone(), generator.training
    runs = watch_modes(generator)
    score = filled(answer(generator, pairs))
    if not runs:
        raise IncorrectAnswer("You never ran the generator. Use it to upscale the LR of each pair.")
    return {
        "the mode during scoring": "training" if any(mode for mode, _ in runs) else "eval",
        "batch norm's running statistics are unchanged": torch.equal(generator[1].running_mean, before),
        "no graph is built": any(graph for _, graph in runs),
        "the mode afterwards": generator.training == training,
        "the network can still learn": all(parameter.requires_grad for parameter in generator.parameters()),
        "the score": take(score, 0.0),
    }


EXERCISE = Exercise(
    validate,
    level="medium",
    points=4,
    cases={
        "a network in training mode": lambda: _scene(True),
        "a network in eval mode": lambda: _scene(False),
    },
    observe=_observe,
)
