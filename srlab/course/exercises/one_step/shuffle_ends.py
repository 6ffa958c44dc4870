"""Lab 07: the control, in which no end keeps the noise that it was drawn from."""

from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, filled, sample

CALLS = 30  # of a random answer, which may be right by chance


def shuffle_ends(end: torch.Tensor) -> torch.Tensor:
    """Return the ends ``(N, ...)`` in another order, in which none is at its old place."""
    return end.roll(1, 0)


def _observe(answer: Answer, end: torch.Tensor) -> dict[str, Any]:
    kept, whole, original = 0, True, end.clone()
    for _ in range(CALLS):
        moved = filled(answer(end))
        if not isinstance(moved, torch.Tensor) or moved.shape != end.shape:
            shape = tuple(getattr(moved, "shape", ()))
            return {"the shape": str(shape)}
        if not torch.equal(end, original):
            break  # it moves them in place, and `judging.run` reports that
        same = (moved.flatten(1)[:, None] == original.flatten(1)).all(2)  # of each result with each end
        whole &= bool((same.sum(0) == 1).all() and (same.sum(1) == 1).all())
        kept += int(same.diagonal().sum())
    return {"the shape": str(tuple(end.shape)), "each end occurs once": whole, "ends at their old place": kept}


EXERCISE = Exercise(
    shuffle_ends,
    level="easy",
    points=1,
    cases={
        "eight points": (sample(8, 2),),
        "three images": (sample(3, 3, 4, 4, seed=1),),
        "two points": (sample(2, 2, seed=2),),
    },
    observe=_observe,
    known_mistakes={
        "All ends are where they were, so nothing is shuffled yet.": lambda end: end.clone(),
        "Your order is random, so by chance some ends keep their noise: with three images, one on average. Which shift "
        "moves each of them?": lambda end: end[torch.randperm(len(end))],
        "Reversed, an odd number of ends leaves the middle one at its place. Which shift moves each of them?": (
            lambda end: end.flip(0)
        ),
        "You moved values within or across the ends, so they aren't the teacher's anymore. Move whole ends, "
        "along dimension 0.": [
            lambda end: end.roll(1),
            lambda end: end.roll(1, 1),
            lambda end: end.roll(1, -1),
            lambda end: end.flip(1),
            lambda end: end.sort(0).values,
            torch.randn_like,
            lambda end: torch.randn_like(end) + end,
        ],
        "Some ends occur twice and others not at all. Each should occur once.": [
            lambda end: end[torch.randint(len(end), (len(end),))],
            lambda end: end[:1].expand_as(end),
        ],
    },
    also_accepted=[
        lambda end: end.roll(-1, 0),
        lambda end: end.roll(1, dims=0),
        lambda end: torch.cat([end[1:], end[:1]]),
        lambda end: end[(torch.arange(len(end)) + 1) % len(end)],
    ],
    fallback_messages={
        "the shape": "The result should have the shape of end, but has {given}.",
        "each end occurs once": "Each end should occur once.",
        "ends at their old place": "Some ends are still at their old place.",
    },
    reveal=False,
    hints=("Which method of a tensor moves each row to the next place, and the last to the first?",),
)
