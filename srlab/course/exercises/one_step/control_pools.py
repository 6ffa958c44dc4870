"""Lab 07: two pools in which noise and ends are no longer tied."""

from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
CALLS = 20  # of a random answer, which may be right by chance


def control_pools(pool: list[Example]) -> tuple[list[Example], list[Example]]:
    """Return two copies of a pool in which noise and ends are not tied.

    Parameters
    ----------
    pool
        For each photo, its LR image ``(3, h, w)``, noise and ends ``(N, 3, 4h, 4w)``. It is not changed.

    Returns
    -------
    tuple of two lists like `pool`
        First with the ends of each photo shuffled, so that none keeps its noise, then with zeros as noise.
    """
    shuffled = [(lr, noise, end.roll(1, 0)) for lr, noise, end in pool]
    zeros = [(lr, torch.zeros_like(noise), end) for lr, noise, end in pool]
    return shuffled, zeros


def _numbers(found: torch.Tensor, known: torch.Tensor) -> list[int]:
    """Return for each image its place among known images, or -1."""
    same = (found.flatten(1)[:, None] == known.flatten(1)).all(2)
    return [int(row.float().argmax()) if row.any() else -1 for row in same]


def _observe(answer: Answer, pool: list[Example]) -> dict[str, Any]:
    totals: dict[str, Any] = {"noise and ends are those of the pool": True, "ends that keep their noise": 0}
    moved_alike = False
    for _ in range(CALLS):
        given = [tuple(part.clone() for part in one) for one in pool]
        result = filled(answer(given))
        if not isinstance(result, list | tuple) or len(result) != 2:
            raise IncorrectAnswer("Return two pools: the one with shuffled ends, then the one with zeros.")
        form = [[tuple(getattr(part, "shape", ())) for part in one] for one in pool]
        for found in result:
            if not isinstance(found, list | tuple) or not all(isinstance(one, list | tuple) for one in found):
                raise IncorrectAnswer("Each of your pools should be a list of tuples: LR image, noise and ends.")
            if [[tuple(getattr(part, "shape", ())) for part in one] for one in found] != form:
                return {"the shapes": "others"}
        shuffled, zeros = result
        kept = all(
            torch.equal(a, b) for one, old in zip(given, pool, strict=True) for a, b in zip(one, old, strict=True)
        )
        for (_, noise, end), (_, old_noise, old_end) in zip(shuffled, pool, strict=True):
            of_noise, of_end = _numbers(noise, old_noise), _numbers(end, old_end)
            every = list(range(len(old_end)))
            totals["noise and ends are those of the pool"] &= sorted(of_noise) == sorted(of_end) == every
            moved_alike |= of_noise == of_end != every
            totals["ends that keep their noise"] += sum(a == b for a, b in zip(of_noise, of_end, strict=True))
    return {
        "the shapes": "right",
        "the pool is unchanged": kept,
        "the LR images": [one[0] for found in result for one in found],
        **totals,
        "noise and ends are moved alike": moved_alike,
        "the noise of the second pool": [one[1] for one in zeros],
        "the ends of the second pool": [one[2] for one in zeros],
    }


def _variant(
    shuffle: Answer = lambda lr, noise, end: (lr, noise, end.roll(1, 0)),
    silence: Answer = lambda lr, noise, end: (lr, 0 * noise, end),
    result: Answer = lambda shuffled, zeros: (shuffled, zeros),
) -> Answer:
    """Return an answer with some parts replaced."""

    def answer(pool: list[Example]) -> Any:
        return result([shuffle(*one) for one in pool], [silence(*one) for one in pool])

    return answer


def _pool(*counts: int) -> tuple[list[Example]]:
    return (
        [
            (
                sample(3, 4, 4 + number, seed=number),
                sample(count, 3, 16, 16 + 4 * number, low=-1, seed=10 + number),
                sample(count, 3, 16, 16 + 4 * number, low=-1, seed=20 + number),
            )
            for number, count in enumerate(counts)
        ],
    )


EXERCISE = Exercise(
    control_pools,
    level="medium",
    points=3,
    cases={"two photos with five answers each": lambda: _pool(5, 5), "one photo with two answers": lambda: _pool(2)},
    observe=_observe,
    known_mistakes={
        "The first pool still has each end at its noise, so it's no control.": (
            _variant(shuffle=lambda lr, noise, end: (lr, noise, end))
        ),
        "You moved noise and ends alike, so they still belong together. What has to come apart?": (
            _variant(shuffle=lambda lr, noise, end: (lr, noise.roll(1, 0), end.roll(1, 0)))
        ),
        "Your order is random, so by chance some ends keep their noise. Your shuffle_ends moves each of them.": (
            _variant(shuffle=lambda lr, noise, end: (lr, noise, end[torch.randperm(len(end))]))
        ),
        "You moved values within the ends, so they aren't the teacher's anymore. Along which dimension are "
        "whole ends?": [
            _variant(shuffle=lambda lr, noise, end: (lr, noise, end.roll(1))),
            _variant(shuffle=lambda lr, noise, end: (lr, noise, end.roll(1, -1))),
        ],
        "In the second pool the ends are zeros as well. A control changes one thing: which?": (
            _variant(silence=lambda lr, noise, end: (lr, 0 * noise, 0 * end))
        ),
        "The second pool has zeros for the ends, not for the noise. What should the network not be told?": (
            _variant(silence=lambda lr, noise, end: (lr, noise, 0 * end))
        ),
        "The second pool has new noise in place of zeros.": (
            _variant(silence=lambda lr, noise, end: (lr, torch.randn_like(noise), end))
        ),
        "The second pool is shuffled as well. Change one thing at a time, or you can't tell which mattered.": (
            _variant(silence=lambda lr, noise, end: (lr, 0 * noise, end.roll(1, 0)))
        ),
        "The LR images are zeros as well. The network should still be told LR.": (
            _variant(silence=lambda lr, noise, end: (0 * lr, 0 * noise, end))
        ),
        "You changed the pool itself, and later cells train with it. Which method of your tensor works in place?": (
            _variant(silence=lambda lr, noise, end: (lr, noise.zero_(), end))
        ),
        "Your two pools are in the other order: first shuffled, then zeros.": (
            _variant(result=lambda shuffled, zeros: (zeros, shuffled))
        ),
    },
    also_accepted=[
        _variant(),
        _variant(shuffle=lambda lr, noise, end: (lr, noise.roll(1, 0), end)),
        _variant(shuffle=lambda lr, noise, end: (lr, noise, torch.cat([end[1:], end[:1]]))),
        _variant(silence=lambda lr, noise, end: [lr, torch.zeros(noise.shape), end]),
    ],
    fallback_messages={
        "the shapes": "Both pools should have the entries and shapes of yours.",
        "the pool is unchanged": "You changed the pool itself, and later cells train with it.",
        "noise and ends are those of the pool": "In the first pool, each noise and each end should occur once.",
        "ends that keep their noise": "In the first pool some ends still have their noise.",
        "the noise of the second pool": "The noise of the second pool should be zeros.",
        "the ends of the second pool": "The ends of the second pool should be those of yours.",
    },
    reveal=False,
    hints=(
        "Two loops over the pool, each with one part of the tuple replaced. Your shuffle_ends works on the ends of one "
        "photo.",
        "torch.zeros_like(noise) are the zeros. Build new tuples, and leave the tensors of the pool as they are.",
    ),
)
