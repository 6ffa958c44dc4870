"""Lab 01: scoring a network on photos that it isn't trained on, without training it by the way."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.evaluation.metrics import psnr


def validate(generator: nn.Module, pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Score a network that is being trained, and leave it as it was.

    Parameters
    ----------
    generator
        LR -> SR, in any mode.
    pairs
        ``(1, 3, h, w)`` and ``(1, 3, scale * h, scale * w)`` of each photo, in [0, 1].

    Returns
    -------
    float
        The mean PSNR over the photos, in dB.
    """
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        scores = [psnr(generator(lr), hr).item() for lr, hr in pairs]
    generator.train(was_training)
    return sum(scores) / len(scores)


def _scene(training: bool) -> tuple[Any, ...]:
    """A tiny generator with batch norm, in a mode, and two photos of different sizes."""
    generator = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Upsample(scale_factor=4)).train(training)
    for seed, parameter in enumerate(generator.parameters()):
        parameter.data = sample(*parameter.shape, low=0.1, high=0.6, seed=seed)
    sizes = ((8, 10), (9, 6))
    return generator, [
        (sample(1, 3, h, w, seed=h), sample(1, 3, 4 * h, 4 * w, low=0.2, high=0.9, seed=h + 1)) for h, w in sizes
    ]


def _observe(answer: Answer, generator: Any, pairs: Any) -> dict[str, Any]:
    modes: list[bool] = []
    graphs: list[bool] = []
    before, training = generator[1].running_mean.clone(), generator.training

    def note(*_: Any) -> None:
        modes.append(generator.training)
        graphs.append(torch.is_grad_enabled())

    generator.register_forward_pre_hook(note)
    score = filled(answer(generator, pairs))
    if not modes:
        raise IncorrectAnswer("The generator was never asked. It should enlarge the LR of each pair.")
    return {
        "the mode while it is scored": "training" if any(modes) else "in use",
        "batch norm's running average": torch.equal(generator[1].running_mean, before),
        "whether a graph is built": any(graphs),
        "the mode afterwards": generator.training == training,
        "the score": take(score, 0.0),
    }


def _validate(
    use: bool = True,
    graph: bool = False,
    after: str = "as before",
    score: Answer = lambda sr, hr: psnr(sr, hr).item(),
    of_all: Answer = lambda scores: sum(scores) / len(scores),
) -> Answer:
    """A validation with its parts right or wrong."""

    def answer(generator: Any, pairs: Any) -> Any:
        was = generator.training
        if use:
            generator.eval()
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
        "a network that is being trained": lambda: _scene(True),
        "a network in use": lambda: _scene(False),
    },
    observe=_observe,
    known_mistakes={
        "The network is scored in training mode: batch norm takes its statistics from the photo, and what's worse, its "
        "running averages move towards the photos that the network must not learn from.": [
            _validate(use=False),
            _validate(use=False, graph=True),
            _validate(use=False, after="left"),
        ],
        "The network stays in eval mode, so from now on batch norm trains no more. Put back the mode that it had.": (
            _validate(after="left")
        ),
        "The network was in use before, and comes back in training mode. Put back the mode that it had.": _validate(
            after="training"
        ),
        "PyTorch builds a graph for a backward pass that never comes, which costs memory, a lot for whole photos. What "
        "switches that off?": [_validate(graph=True), _validate(graph=True, after="training")],
        "The scores are added up. Their mean doesn't depend on how many photos there are.": _validate(of_all=sum),
        "That is the score of one photo alone, or the best of all. The mean over all is asked for.": [
            _validate(of_all=lambda scores: scores[-1]),
            _validate(of_all=lambda scores: scores[0]),
            _validate(of_all=max),
        ],
        "That is the squared error. PSNR, srlab.psnr(sr, hr), is asked for.": _validate(
            score=lambda sr, hr: (sr - hr).square().mean().item()
        ),
        "The errors are averaged first and made decibels then. Papers take the PSNR of each photo, and then the "
        "mean.": _mean_error_first,
    },
    also_accepted=[
        torch.no_grad()(_validate(of_all=lambda scores: torch.tensor(scores).mean())),
        torch.inference_mode()(lambda generator, pairs: validate(generator, pairs)),
    ],
    fallback_messages={"the score": "All is left as it should be, but the score is another one."},
    hints=(
        "What could the scoring change in the network, and what would PyTorch keep that nobody asks for? Undo the one, "
        "and switch off the other.",
        "Four things surround the scoring: note the mode, go to eval mode, build no graph, put the mode back.",
        "generator.training is the mode, generator.eval() and generator.train(was_training) change it, and `with "
        "torch.no_grad():` builds no graph. srlab.psnr(generator(lr), hr).item() is the score of one photo.",
    ),
)
