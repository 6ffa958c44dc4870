"""Lab 01: the loop around the training step."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


def fit(
    step: Callable[[torch.Tensor, torch.Tensor], float],
    batches: Iterator[tuple[torch.Tensor, torch.Tensor]],
    iters: int,
    validate: Callable[[], float],
    every: int,
) -> list[tuple[int, float]]:
    """Train for a number of steps, and score the network at regular intervals.

    Parameters
    ----------
    step
        Function that trains on one batch, ``step(lr, hr)``.
    batches
        Endless iterator; ``next(batches)`` returns a new ``(lr, hr)`` each time.
    iters
        Number of steps.
    validate
        Function that scores the current network, ``validate()``.
    every
        Number of steps between two scores.

    Returns
    -------
    list of tuple
        Number of steps done and the score at that point, for each validation.
    """
    scores = []
    for number in range(1, iters + 1):
        lr, hr = next(batches)
        step(lr, hr)
        if number % every == 0:
            scores.append((number, validate()))
    return scores


def _observe(answer: Answer, iters: int, every: int) -> dict[str, Any]:
    drawn: list[int] = []
    used: list[int] = []

    def endless() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while len(drawn) <= 3 * iters:
            drawn.append(len(drawn) + 1)
            yield torch.full((1, 3, 2, 2), float(drawn[-1])), torch.full((1, 3, 8, 8), float(drawn[-1]))
        raise IncorrectAnswer("The batches never end, so a loop over all of them doesn't either. Count the steps.")

    def step(lr: torch.Tensor, hr: torch.Tensor) -> float:
        if (lr.shape[-1], hr.shape[-1]) != (2, 8):
            raise IncorrectAnswer("The step gets two images of the wrong sizes. Call step(lr, hr).")
        if lr.flatten()[0] != hr.flatten()[0]:
            raise IncorrectAnswer("The step gets LR and HR of different batches. Take both from the same one.")
        used.append(int(lr.flatten()[0]))
        return 1 / len(used)

    scores = filled(answer(step, endless(), iters, lambda: len(used) / 100, every))
    if not isinstance(scores, list):
        raise IncorrectAnswer("Return a list of pairs: the number of steps done, and the score at that point.")
    return {
        "the number of steps": len(used),
        "the number of different batches": len(set(used)),
        "the scores": [tuple(pair) if isinstance(pair, list | tuple) else pair for pair in scores],
        "skipped batches": max(used, default=0) > len(set(used)),
        "unused batches": len(drawn) > len(used) + 1,  # zip(batches, range(iters)) draws one more
    }


def _loop(
    numbers: Callable[[int], range] = lambda iters: range(1, iters + 1),
    when: Callable[[int, int], bool] = lambda number, every: number % every == 0,
    first: bool = False,
    fresh: bool = True,
) -> Answer:
    """Return a loop with its parts right or wrong."""

    def answer(step: Any, batches: Any, iters: int, validate: Any, every: int) -> list[tuple[int, float]]:
        scores, batch = [], None
        for number in numbers(iters):
            if first and when(number, every):
                scores.append((number, validate()))
            if fresh or batch is None:
                batch = next(batches)
            step(*batch)
            if not first and when(number, every):
                scores.append((number, validate()))
        return scores

    return answer


def _over_all(step: Any, batches: Any, iters: int, validate: Any, every: int) -> list[tuple[int, float]]:
    scores = []
    for number, (lr, hr) in enumerate(batches, 1):
        step(lr, hr)
        if number % every == 0:
            scores.append((number, validate()))
    return scores


def _swapped(step: Any, batches: Any, *rest: Any) -> list[tuple[int, float]]:
    return fit(lambda lr, hr: step(hr, lr), batches, *rest)


def _one_too_early(step: Any, batches: Any, *rest: Any) -> list[tuple[int, float]]:
    next(batches)
    return fit(step, batches, *rest)


def _mixed(step: Any, batches: Any, *rest: Any) -> list[tuple[int, float]]:
    late = [next(batches)]

    def mixed(lr: torch.Tensor, hr: torch.Tensor) -> float:
        late.append((lr, hr))
        return step(late[-2][0], hr)

    return fit(mixed, batches, *rest)


def _by_zip_with_one_more(step: Any, batches: Any, iters: int, validate: Any, every: int) -> list[tuple[int, float]]:
    scores = []
    for (lr, hr), number in zip(batches, range(1, iters + 1)):  # noqa: B905 - one of them is endless
        step(lr, hr)
        if number % every == 0:
            scores.append((number, validate()))
    return scores


def _scores_alone(*scene: Any) -> list[float]:
    return [score for _, score in fit(*scene)]


def _by_zip(step: Any, batches: Any, iters: int, validate: Any, every: int) -> list[tuple[int, float]]:
    scores = []
    for number, (lr, hr) in zip(range(1, iters + 1), batches):  # noqa: B905 - one of them is endless
        step(lr, hr)
        if not number % every:
            scores.append((number, validate()))
    return scores


EXERCISE = Exercise(
    fit,
    level="medium",
    points=3,
    cases={"8 steps, scored every 4 steps": (8, 4), "7 steps, scored every 3 steps": (7, 3)},
    observe=_observe,
    known_mistakes={
        "Every step gets the same batch. Take the next one inside the loop.": _loop(fresh=False),
        "You score the network before the step, so the number next to each score is one step too high.": [
            _loop(first=True),
        ],
        "You count the steps from 0, so the first score comes after the first step. Count the steps that are done.": [
            _loop(numbers=range),
        ],
        "One step is missing: range stops before its end.": _loop(numbers=lambda iters: range(1, iters)),
        "You score the network after every step, which takes longer than the training. What is `every` for?": _loop(
            when=lambda number, every: True
        ),
        "You score the network after every step except those that `every` means.": _loop(
            when=lambda number, every: number % every != 0
        ),
        "The batches never end, so a loop over all of them doesn't either. Count the steps.": _over_all,
        "The step gets two images of the wrong sizes. Call step(lr, hr).": _swapped,
        "The step gets LR and HR of different batches. Take both from the same one.": _mixed,
        "You draw a batch that the step never gets. Draw each batch inside the loop.": _one_too_early,
        "You return only the scores. Each score needs the number of steps done next to it.": _scores_alone,
    },
    also_accepted=[_by_zip, _by_zip_with_one_more],
    fallback_messages={
        "the number of steps": "Your loop makes {given} steps. It should make `iters`.",
        "the scores": "The steps are correct, but you score after different steps than you should.",
    },
    hints=(
        "Write a loop that counts the steps. In it: the next batch, a step, and, if the number is divisible by "
        "`every`, a score.",
        "for number in range(1, iters + 1): lr, hr = next(batches), then step(lr, hr), then, `if number % every == 0`, "
        "append (number, validate()).",
    ),
)
