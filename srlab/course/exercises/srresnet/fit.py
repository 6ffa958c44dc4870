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
    """Train for a number of steps, and look at the score now and then.

    Parameters
    ----------
    step
        ``step(lr, hr)`` trains on one batch.
    batches
        Endless; ``next(batches)`` gives another ``(lr, hr)`` each time.
    iters
        How many steps.
    validate
        ``validate()`` scores the network as it is then.
    every
        After each so many steps the network is scored.

    Returns
    -------
    list of tuple
        How many steps were done, and the score then, for each validation.
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
        used.append(int(lr.flatten()[0]))
        return 1 / len(used)

    scores = filled(answer(step, endless(), iters, lambda: len(used) / 100, every))
    if not isinstance(scores, list):
        raise IncorrectAnswer("A list of pairs is asked for: how many steps were done, and the score then.")
    return {
        "how many steps are made": len(used),
        "how many batches they see": len(set(used)),
        "the scores": [tuple(pair) if isinstance(pair, list | tuple) else pair for pair in scores],
        "batches that are drawn and not used": len(drawn) > len(used),
    }


def _loop(
    numbers: Callable[[int], range] = lambda iters: range(1, iters + 1),
    when: Callable[[int, int], bool] = lambda number, every: number % every == 0,
    first: bool = False,
    fresh: bool = True,
) -> Answer:
    """A loop with its parts right or wrong."""

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
    cases={"eight steps, scored every four": (8, 4), "seven steps, scored every three": (7, 3)},
    observe=_observe,
    known_mistakes={
        "Every step gets the same batch. Take the next one inside the loop.": _loop(fresh=False),
        "The network is scored before the step, so the score belongs to one step less than the number beside it.": [
            _loop(first=True),
        ],
        "The steps are counted from 0, so the first score comes after the first step. Count those that are done.": [
            _loop(numbers=range),
        ],
        "One step is missing: range stops before its end.": _loop(numbers=lambda iters: range(1, iters)),
        "The network is scored after every step, which takes longer than the training. What is `every` for?": _loop(
            when=lambda number, every: True
        ),
        "The network is scored in all steps but those that `every` means.": _loop(
            when=lambda number, every: number % every != 0
        ),
        "The batches never end, so a loop over all of them doesn't either. Count the steps.": _over_all,
        "The scores alone are there. Beside each stands how many steps were done.": _scores_alone,
    },
    also_accepted=[_by_zip, _loop(numbers=lambda iters: range(1, iters + 1))],
    fallback_messages={
        "how many steps are made": "The number of steps is {given}, and should be `iters`.",
        "the scores": "The steps are right, and the scores are noted at other places than asked.",
    },
    hints=(
        "A loop that counts the steps. In it: the next batch, a step, and, where the number can be divided by `every`, "
        "a score.",
        "for number in range(1, iters + 1): lr, hr = next(batches), then step(lr, hr), then `if number % every == 0` "
        "append (number, validate()).",
    ),
)
