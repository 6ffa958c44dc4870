"""Lab 01: scoring a network on held-out photos without changing it."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.networks import watch_modes
from srlab.evaluation.metrics import psnr


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
    """Return a tiny generator with batch norm, in one of its modes, and two photos of different sizes."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Upsample(scale_factor=4)).train(training)
    for seed, parameter in enumerate(generator.parameters()):
        parameter.data = sample(*parameter.shape, low=0.1, high=0.6, seed=seed)
    sizes = ((8, 10), (9, 6))
    return generator, [
        (sample(1, 3, h, w, seed=h), sample(1, 3, 4 * h, 4 * w, low=0.2, high=0.9, seed=h + 1)) for h, w in sizes
    ]


def _observe(answer: Answer, generator: Any, pairs: Any) -> dict[str, Any]:
    before, training = generator[1].running_mean.clone(), generator.training
    runs = watch_modes(generator)
    try:
        score = filled(answer(generator, pairs))
        learns = torch.is_grad_enabled() and all(parameter.requires_grad for parameter in generator.parameters())
    finally:
        torch.set_grad_enabled(True)
    if not runs:
        raise IncorrectAnswer("You never ran the generator. Use it to upscale the LR of each pair.")
    return {
        "the mode during scoring": "training" if any(mode for mode, _ in runs) else "eval",
        "batch norm's running statistics are unchanged": torch.equal(generator[1].running_mean, before),
        "no graph is built": any(graph for _, graph in runs),
        "the mode afterwards": generator.training == training,
        "the network can still learn": learns,
        "the score": take(score, 0.0),
    }


def _validate(
    use: bool = True,
    graph: bool = False,
    after: str = "as before",
    forever: Answer = lambda generator: None,
    score: Answer = lambda sr, hr: psnr(sr, hr).item(),
    of_all: Answer = lambda scores: sum(scores) / len(scores),
) -> Answer:
    """Return a validation with its parts right or wrong."""

    def answer(generator: Any, pairs: Any) -> Any:
        was = generator.training
        if use:
            generator.eval()
        forever(generator)
        with torch.set_grad_enabled(graph):
            scores = [score(generator(lr), hr) for lr, hr in pairs]
        if after != "left":
            generator.train(was if after == "as before" else True)
        return of_all(scores)

    return answer


def _mean_error_first(generator: Any, pairs: Any) -> float:
    errors = _validate(score=lambda sr, hr: 10 ** (-psnr(sr, hr).item() / 10), of_all=list)(generator, pairs)
    return -10 * torch.tensor(errors).mean().log10().item()


EXERCISE = Exercise(
    validate,
    level="medium",
    points=4,
    cases={
        "a network in training mode": lambda: _scene(True),
        "a network in eval mode": lambda: _scene(False),
    },
    observe=_observe,
    known_mistakes={
        "You score the network in training mode. Batch norm then uses the photo's statistics, and worse, its running "
        "statistics move toward photos that the network must not learn from.": [
            _validate(use=False),
            _validate(use=False, graph=True),
            _validate(use=False, after="left"),
        ],
        "You leave the network in eval mode, so from now on batch norm no longer trains. Restore the mode that it "
        "had.": (_validate(after="left")),
        "The network came in eval mode, and you leave it in training mode. Restore the mode that it had.": _validate(
            after="training"
        ),
        "PyTorch builds a graph for a backward pass that never comes. That costs memory, and a lot for whole photos. "
        "How do you switch it off?": [_validate(graph=True), _validate(graph=True, after="training")],
        "Afterwards nothing can learn, because you switched gradients off and not on again. Score inside of `with "
        "torch.no_grad():`.": [
            _validate(forever=lambda generator: torch.set_grad_enabled(False)),
            _validate(forever=lambda generator: generator.requires_grad_(False)),
        ],
        "You summed the scores. Their mean doesn't depend on the number of photos.": _validate(of_all=sum),
        "You return the score of one photo only, or the best of all. Return the mean over all photos.": [
            _validate(of_all=lambda scores: scores[-1]),
            _validate(of_all=lambda scores: scores[0]),
            _validate(of_all=max),
        ],
        "That is the MSE. You need PSNR, srlab.psnr(sr, hr).": _validate(
            score=lambda sr, hr: (sr - hr).square().mean().item()
        ),
        "You average the errors first and convert to decibels afterwards. Papers take the PSNR of each photo, and then "
        "the mean.": _mean_error_first,
    },
    also_accepted=[
        torch.no_grad()(_validate(of_all=lambda scores: torch.tensor(scores).mean())),
        torch.inference_mode()(lambda generator, pairs: validate(generator, pairs)),
    ],
    fallback_messages={"the score": "You leave everything as it should be, but the score is wrong."},
    hints=(
        "What could the scoring change in the network, and what would PyTorch store that you don't need? Undo the "
        "first, and switch off the second.",
        "Four things go around the scoring: remember the mode, switch to eval mode, build no graph, restore the mode.",
        "generator.training is the mode, generator.eval() and generator.train(was_training) change it, and `with "
        "torch.no_grad():` builds no graph. srlab.psnr(generator(lr), hr).item() is the score of one photo.",
    ),
)
