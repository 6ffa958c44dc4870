"""Lab 01: the loop around the training step, which scores the network and keeps its best weights."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled


def fit(
    generator: nn.Module,
    step: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    batches: Iterator[tuple[torch.Tensor, torch.Tensor]],
    iters: int,
    score: Callable[[], float],
    every: int,
) -> list[tuple[int, float, float]]:
    """Train a network, score it at regular intervals, and leave it with its best weights.

    Parameters
    ----------
    generator
        Network that `step` trains and `score` scores.
    step
        Function that trains on one batch, ``step(lr, hr)``, and returns its loss, ``()``.
    batches
        Endless iterator; ``next(batches)`` returns a new ``(lr, hr)`` each time.
    iters
        Number of steps.
    score
        Function without arguments that returns the PSNR of the current network in dB.
    every
        Number of steps between two scores.

    Returns
    -------
    list of tuple
        Number of steps so far, mean loss of the steps since the score before, and score: before the first step (where
        the loss is NaN), and after every `every` steps.
    """
    history = [(0, float("nan"), score())]
    best, losses = copy.deepcopy(generator.state_dict()), []
    for number in range(1, iters + 1):
        lr, hr = next(batches)
        losses.append(step(lr, hr))  # still a tensor, so that the CPU does not wait for a GPU
        if number % every == 0:
            now = score()
            if now > max(before for _, _, before in history):
                best = copy.deepcopy(generator.state_dict())
            history.append((number, float(sum(losses) / len(losses)), now))
            losses = []
    generator.load_state_dict(best)
    return history


def _score_at(number: int, peak: int, dip: int) -> float:
    return 30 - (number - peak) ** 2 / 100 - 5 * (number == dip)


def _loss_at(number: int, lowest: int) -> float:
    return 1 + (number - lowest) ** 2 / 50


def _observe(answer: Answer, iters: int, every: int, peak: int, dip: int, lowest: int) -> dict[str, Any]:
    """Train a network whose weights and running statistics count the steps; its score peaks after `peak` of them."""
    drawn: list[int] = []
    used: list[int] = []
    generator = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))

    def set_to(number: int) -> None:
        with torch.no_grad():
            generator[0].weight.fill_(number)
            generator[1].running_mean.fill_(number)

    def endless() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while len(drawn) <= 3 * iters:
            drawn.append(len(drawn) + 1)
            yield torch.full((1, 3, 2, 2), float(drawn[-1])), torch.full((1, 3, 8, 8), float(drawn[-1]))
        raise IncorrectAnswer("The batches never end, so a loop over all of them doesn't either. Count the steps.")

    def step(lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if (lr.shape[-1], hr.shape[-1]) != (2, 8):
            raise IncorrectAnswer("The step gets two images of the wrong sizes. Call step(lr, hr).")
        if lr.flatten()[0] != hr.flatten()[0]:
            raise IncorrectAnswer("The step gets LR and HR of different batches. Take both from the same one.")
        used.append(int(lr.flatten()[0]))
        set_to(len(used))
        return torch.tensor(_loss_at(len(used), lowest))

    set_to(0)
    history = filled(answer(generator, step, endless(), iters, lambda: _score_at(len(used), peak, dip), every))
    rows = history if isinstance(history, list | tuple) else [None]
    if not all(isinstance(row, list | tuple) and len(row) == 3 for row in rows):
        raise IncorrectAnswer("Return a list with three values per score: the number of steps, the loss, the score.")
    steps, losses, scores = ([row[place] for row in history] for place in range(3))
    return {
        "the number of steps": len(used),
        "the batches": used,
        "when it is scored": steps,
        "the scores": scores,
        "the losses": [math.nan if loss is None else loss for loss in losses],
        "the weights at the end": f"those after {generator[0].weight.item():g} steps",
        "the running statistics at the end": f"those after {generator[1].running_mean.item():g} steps",
    }


EXERCISE = Exercise(
    fit,
    level="hard",
    points=5,
    cases={
        "12 steps, scored every 3, best after 6": (12, 3, 6, 9, 11),
        "7 steps, scored every 2, best after 4": (7, 2, 4, 0, 6),
        "9 steps that only make it worse": (9, 4, 0, 4, 8),
        "8 steps that only make it better": (8, 2, 8, 0, 2),
    },
    observe=_observe,
)
