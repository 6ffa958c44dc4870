"""Lab 01: the loop around the training step, which scores the network and keeps its best weights."""

import copy
import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


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
        losses.append(float(step(lr, hr)))
        if number % every == 0:
            now = score()
            if now > max(before for _, _, before in history):
                best = copy.deepcopy(generator.state_dict())
            history.append((number, sum(losses) / len(losses), now))
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
    if not isinstance(history, list) or not all(isinstance(row, list | tuple) and len(row) == 3 for row in history):
        raise IncorrectAnswer("Return a list with three values per score: the number of steps, the loss, the score.")
    steps, losses, scores = ([row[place] for row in history] for place in range(3))
    return {
        "the number of steps": len(used),
        "the number of different batches": len(set(used)),
        "when it is scored": steps,
        "the scores": scores,
        "the losses": [math.nan if loss is None else loss for loss in losses],
        "skipped batches": max(used, default=0) > len(set(used)),
        "unused batches": len(drawn) > len(used) + 1,  # zip(batches, range(iters)) draws one more
        "the weights at the end": f"those after {generator[0].weight.item():g} steps",
        "the running statistics at the end": f"those after {generator[1].running_mean.item():g} steps",
    }


def _copied(generator: nn.Module) -> Any:
    return copy.deepcopy(generator.state_dict())


def _load(generator: nn.Module, kept: Any) -> None:
    generator.load_state_dict(kept)


def _loop(
    numbers: Callable[[int], range] = lambda iters: range(1, iters + 1),
    when: Callable[[int, int], bool] = lambda number, every: number % every == 0,
    at_start: bool = True,
    score_first: bool = False,
    fresh: bool = True,
    loss_of: Callable[[list[float], list[float]], Any] = lambda since, all_losses: sum(since) / len(since),
    better: Callable[[list[Any]], bool] = lambda history: history[-1][2] == max(row[2] for row in history),
    keep: Callable[[nn.Module], Any] = _copied,
    load: Callable[[nn.Module, Any], Any] = _load,
    result: Callable[[list[Any]], Any] = lambda history: history,
    number_as: Callable[[float], Any] = float,
) -> Answer:
    """Return a loop with its parts right or wrong."""

    def answer(generator: Any, step: Any, batches: Any, iters: int, score: Any, every: int) -> Any:
        history, since, losses, batch = [(0, math.nan, score())] if at_start else [], [], [], None
        best = keep(generator) if at_start else None
        for number in numbers(iters):
            if fresh or batch is None:
                batch = next(batches)
            early = score() if score_first else None
            loss = number_as(step(*batch))
            since.append(loss)
            losses.append(loss)
            if when(number, every):
                history.append((number, loss_of(since, losses), early if score_first else score()))
                since = []
                if better(history):
                    best = keep(generator)
        if best is not None:
            load(generator, best)
        return result(history)

    return answer


def _lowest_loss(history: list[Any]) -> bool:
    losses = [row[1] for row in history[1:]]
    return bool(losses) and losses[-1] == min(losses)


def _parameters(generator: nn.Module) -> Any:
    return [parameter.detach().clone() for parameter in generator.parameters()]


def _load_parameters(generator: nn.Module, kept: Any) -> None:
    for parameter, value in zip(generator.parameters(), kept, strict=True):
        parameter.data.copy_(value)


def _in_memory(generator: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(generator.state_dict(), file)
    return file


def _load_from_memory(generator: nn.Module, kept: Any) -> None:
    kept.seek(0)
    generator.load_state_dict(torch.load(kept, weights_only=True))


def _over_all(generator: Any, step: Any, batches: Any, iters: int, score: Any, every: int) -> list[Any]:
    history = [(0, math.nan, score())]
    for number, (lr, hr) in enumerate(batches, 1):
        step(lr, hr)
        if number % every == 0:
            history.append((number, 0.0, score()))
    return history


def _swapped(generator: Any, step: Any, *rest: Any) -> list[Any]:
    return fit(generator, lambda lr, hr: step(hr, lr), *rest)


def _one_too_early(generator: Any, step: Any, batches: Any, *rest: Any) -> list[Any]:
    next(batches)
    return fit(generator, step, batches, *rest)


def _mixed(generator: Any, step: Any, batches: Any, *rest: Any) -> list[Any]:
    late = [next(batches)]

    def mixed(lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        late.append((lr, hr))
        return step(late[-2][0], hr)

    return fit(generator, mixed, batches, *rest)


def _also_at_the_end(generator: Any, step: Any, batches: Any, iters: int, score: Any, every: int) -> list[Any]:
    return _loop(when=lambda number, every: number % every == 0 or number == iters)(
        generator, step, batches, iters, score, every
    )


def _by_zip(generator: Any, step: Any, batches: Any, iters: int, score: Any, every: int) -> list[Any]:
    history, since = [(0, None, score())], []
    best, kept = history[0][2], {name: value.clone() for name, value in generator.state_dict().items()}
    for (lr, hr), number in zip(batches, range(1, iters + 1)):  # noqa: B905 - one of them is endless
        since.append(step(lr, hr))
        if not number % every:
            history.append([number, torch.stack(since).mean(), score()])
            if history[-1][2] > best:
                best, kept = history[-1][2], {name: value.clone() for name, value in generator.state_dict().items()}
            since.clear()
    generator.load_state_dict(kept)
    return history


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
    known_mistakes={
        "Every step gets the same batch. Take the next one inside the loop.": _loop(fresh=False),
        "The network isn't scored before its first step. Without that score, how could you see whether training has "
        "made it any better?": [_loop(at_start=False), _loop(at_start=False, loss_of=lambda since, losses: losses[-1])],
        "You score the network before the step, so the number next to each score is one step too high.": _loop(
            score_first=True
        ),
        "You count the steps from 0, so the first score comes after the first step. Count the steps that are done.": [
            _loop(numbers=range),
            _loop(numbers=range, at_start=False),
        ],
        "One step is missing: range stops before its end.": _loop(numbers=lambda iters: range(1, iters)),
        "You score the network after every step, which takes longer than the training. What is `every` for?": _loop(
            when=lambda number, every: True
        ),
        "You score the network after every step except those that `every` means.": _loop(
            when=lambda number, every: number % every != 0
        ),
        "You also score after the last step, although it is not a multiple of `every`.": _also_at_the_end,
        "The batches never end, so a loop over all of them doesn't either. Count the steps.": _over_all,
        "The step gets two images of the wrong sizes. Call step(lr, hr).": _swapped,
        "The step gets LR and HR of different batches. Take both from the same one.": _mixed,
        "You draw a batch that the step never gets. Draw each batch inside the loop.": _one_too_early,
        "Return a list with three values per score: the number of steps, the loss, the score.": [
            _loop(result=lambda history: [row[2] for row in history]),
            _loop(result=lambda history: [(row[0], row[2]) for row in history]),
            _loop(result=lambda history: (history, {})),
        ],
        "You return the loss of the last step only, which depends on its batch. What is the mean of the steps since "
        "the score before?": _loop(loss_of=lambda since, losses: losses[-1]),
        "Your mean loss counts all steps from the beginning. When should you empty the list?": _loop(
            loss_of=lambda since, losses: sum(losses) / len(losses)
        ),
        "You add up the losses since the score before, but don't divide by their number.": _loop(
            loss_of=lambda since, losses: sum(since)
        ),
        "You divide by `every` twice, or by another number: the mean is the sum over the number of its terms.": [
            _loop(loss_of=lambda since, losses: sum(since) / len(losses)),
        ],
        "The network ends with its last weights. Do you load the best ones at the end? If you do, were they a copy? "
        "state_dict() returns the very tensors that training keeps changing.": [
            _loop(load=lambda generator, kept: None),
            _loop(keep=lambda generator: generator.state_dict()),
            _loop(keep=lambda generator: dict(generator.state_dict())),
            _loop(keep=lambda generator: copy.copy(generator.state_dict())),
            _loop(better=lambda history: True),
        ],
        "You keep the weights with the lowest loss. Is the loss on training batches what you want to be best at?": (
            _loop(better=_lowest_loss)
        ),
        "You keep the weights with the lowest score. Is a higher PSNR better or worse?": _loop(
            better=lambda history: history[-1][2] == min(row[2] for row in history)
        ),
        "The network may be best before its first step, as here, where training makes it worse. Which weights do you "
        "keep then?": _loop(better=lambda history: history[-1][2] == max(row[2] for row in history[1:])),
        "You compare each score with the one before it only. The best score of all may be older.": _loop(
            better=lambda history: history[-1][2] > history[-2][2]
        ),
        "You restore the parameters, but not the running statistics of batch norm, which belong to the same step. What "
        "does state_dict() contain that parameters() doesn't?": _loop(keep=_parameters, load=_load_parameters),
    },
    also_accepted=[
        _loop(),
        _loop(number_as=lambda loss: loss, better=lambda history: history[-1][2] >= max(row[2] for row in history)),
        _loop(keep=copy.deepcopy, load=lambda generator, kept: generator.load_state_dict(kept.state_dict())),
        _loop(keep=_in_memory, load=_load_from_memory),
        _by_zip,
    ],
    fallback_messages={
        "the number of steps": "Your loop makes {given} steps. It should make `iters`.",
        "when it is scored": "The steps are correct, but you score after other steps than you should: {given}.",
        "the losses": "The scores are correct, but the losses aren't: {given}. Each is a mean since the score before.",
        "the weights at the end": "The network ends with the wrong weights: {given}. Its score was highest elsewhere.",
    },
    hints=(
        "Write a loop that counts the steps. In it: the next batch, a step, and, if the number is divisible by "
        "`every`, a score. Score once before the loop as well.",
        "Keep two things between the scores: the losses since the last one, and a copy of the weights with the highest "
        "score so far.",
        "copy.deepcopy(generator.state_dict()) copies weights and running statistics, and generator.load_state_dict "
        "brings them back.",
    ),
)
