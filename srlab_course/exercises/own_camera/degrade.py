"""Extra, find the bug: degrade every patch of every batch in its own way."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from srlab_course.feedback.exercise import Answer, Exercise, filled, sample

Round = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
Finish = Callable[[torch.Tensor, Sequence[int], torch.Generator], torch.Tensor]


def degrade(
    hr: torch.Tensor, scale: int, rounds: Sequence[Round], finish: Finish, generator: torch.Generator
) -> torch.Tensor:
    """Degrade each image in several rounds, with its own random strengths.

    Parameters
    ----------
    hr
        ``(N, 3, H, W)`` in [0, 1].
    rounds
        Functions ``(image, generator) -> image``; the size may change.
    finish
        ``finish(image, size, generator)``, which returns LR of this size.
    generator
        Source of all random numbers; its state is new in each training step.

    Returns
    -------
    torch.Tensor
        ``(N, 3, H / scale, W / scale)`` in [0, 1].
    """
    size = [side // scale for side in hr.shape[-2:]]
    degraded = []
    for image in hr.split(1):
        for degrade_once in rounds:
            image = degrade_once(image, generator)
        degraded.append(finish(image, size, generator))
    return torch.cat(degraded)


def _observe(answer: Answer, hr: torch.Tensor, scale: int, count: int) -> dict[str, Any]:
    draws, at_once = [], []

    def random(generator: torch.Generator) -> None:
        draws.append(torch.rand((), generator=generator).item())

    def make(number: int) -> Round:
        def degrade_once(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            random(generator)
            at_once.append(len(image))
            return F.avg_pool2d(image, 3, 1) / 2 + 0.1 * number

        return degrade_once

    def finish(image: torch.Tensor, size: Sequence[int], generator: torch.Generator) -> torch.Tensor:
        random(generator)
        at_once.append(len(image))
        return F.interpolate(image, tuple(size))

    generator, rounds = torch.Generator().manual_seed(5), [make(number) for number in range(count)]
    first = filled(answer(hr, scale, rounds, finish, generator))
    filled(answer(hr, scale, rounds, finish, generator))
    return {
        "the shape": list(first.shape),
        "images that a stage gets at once": max(at_once, default=0),
        "LR without the random part": first.detach(),
        "different random numbers in two steps": len(set(draws)),
    }


EXERCISE = Exercise(
    degrade,
    level="medium",
    points=4,
    cases={
        "two rounds": (sample(3, 3, 24, 32, seed=1), 4, 2),
        "one image, and three rounds": (sample(1, 3, 18, 12, seed=2), 3, 3),
    },
    observe=_observe,
    reveal=False,
)
