"""Extra, find the bug: degrade every patch of every batch in its own way."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample

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


def _degrade(reseeded: bool = False, at_once: bool = False, restarted: bool = False, last: int | None = None) -> Answer:
    """Return an answer with the bugs of the notebook in or out."""

    def answer(
        hr: torch.Tensor, scale: int, rounds: Sequence[Round], finish: Finish, generator: torch.Generator
    ) -> torch.Tensor:
        size = [side // scale for side in hr.shape[-2:]]
        generator = torch.Generator().manual_seed(0) if reseeded else generator
        done = []
        for part in [hr] if at_once else hr.split(1):
            image = part
            for degrade_once in rounds[:last]:
                image = degrade_once(part if restarted else image, generator)
            done.append(finish(image, size, generator))
        return torch.cat(done)

    return answer


def _seeded_per_image(
    hr: torch.Tensor, scale: int, rounds: Sequence[Round], finish: Finish, generator: torch.Generator
) -> torch.Tensor:
    return torch.cat(
        [
            degrade(image, scale, rounds, finish, torch.Generator().manual_seed(number))
            for number, image in enumerate(hr.split(1))
        ]
    )


def _rounds_first(
    hr: torch.Tensor, scale: int, rounds: Sequence[Round], finish: Finish, generator: torch.Generator
) -> torch.Tensor:
    images = list(hr.split(1))
    for degrade_once in rounds:
        images = [degrade_once(image, generator) for image in images]
    return torch.cat([finish(image, [side // scale for side in hr.shape[-2:]], generator) for image in images])


EXERCISE = Exercise(
    degrade,
    level="medium",
    points=4,
    cases={
        "two rounds": (sample(3, 3, 24, 32, seed=1), 4, 2),
        "one image, and three rounds": (sample(1, 3, 18, 12, seed=2), 3, 3),
    },
    observe=_observe,
    known_mistakes={
        "A stage gets the whole batch, so all its patches share one blur, one size and one quality. How does each "
        "patch get its own?": [
            _degrade(at_once=True, reseeded=reseeded, restarted=restarted)
            for reseeded in (False, True)
            for restarted in (False, True)
        ],
        "The last round starts from HR again, so the rounds before it are lost. What should it start from?": [
            _degrade(restarted=True),
            _degrade(restarted=True, reseeded=True),
        ],
        "In two training steps you draw the same numbers, so the network sees few degradations in the whole run. "
        "Which generator has a new state in each step?": [_degrade(reseeded=True), _seeded_per_image],
        "A round is missing. Go through all of them.": [_degrade(last=1), _degrade(last=0)],
    },
    also_accepted=[_degrade(), _rounds_first],
    fallback_messages={
        "the shape": "LR has the shape {given}. It should be that of HR, with both sides divided by the scale.",
        "images that a stage gets at once": "A stage got {given} images at once. Each image needs its own draws.",
    },
    reveal=False,
    hints=(
        "How many different blurs does the broken code draw in a step of eight patches? And in the whole run?",
        "Print the strengths that are drawn in the first steps. Then follow the image through both rounds.",
    ),
)
