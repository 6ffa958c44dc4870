"""Lab 07: find the bug in a batch whose noise is not the one that its ends were made with."""

from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled

POOL, SIZE, SINGLES = 64, 4000, 400


def mirrored_batch(noise: torch.Tensor, end: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `size` random pairs of a pool ``(N, 2)``, each mirrored with probability 1/2.

    The first coordinate of a mirrored pair has the other sign, in the noise and in the end.
    """
    chosen = torch.randint(len(noise), (size,))
    sign = torch.where(torch.rand(size) < 0.5, -1.0, 1.0)
    mirror = torch.stack([sign, torch.ones(size)], dim=1)
    return noise[chosen] * mirror, end[chosen] * mirror


def borrowed_batch(noise: torch.Tensor, end: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random pairs of a pool, each mirrored with probability 1/2. It has a bug."""
    chosen = torch.randint(len(noise), (size,))
    sign = torch.where(torch.rand(size) < 0.5, -1.0, 1.0)
    mirror = torch.stack([sign, torch.ones(size)], dim=1)
    return noise[chosen], end[chosen] * mirror


def _pool() -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return noise whose rows differ also if mirrored, and ends that name their row."""
    rows = torch.arange(1, POOL + 1.0)
    noise = torch.stack([rows / POOL, 2 * rows], dim=1)
    return noise, torch.stack([0.5 + rows / POOL, 3 * rows], dim=1), SIZE


def _observe(answer: Answer, noise: torch.Tensor, end: torch.Tensor, size: int) -> dict[str, Any]:
    result = filled(answer(noise, end, size))
    singles = [filled(answer(noise, end, 1)) for _ in range(SINGLES)]
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise IncorrectAnswer("Return two tensors: a batch of noise and its ends.")
    shapes = [str(tuple(getattr(part, "shape", ()))) for part in result]
    if shapes != 2 * [str((size, 2))]:
        return {"the shapes": " and ".join(shapes)}
    (x, row), (x_end, row_end) = result[0].unbind(1), result[1].unbind(1)
    row, row_end = row / 2, row_end / 3
    return {
        "the shapes": " and ".join(shapes),
        "the rows of noise and ends": _share((row - row_end).abs() < 0.01),
        "the noise that is mirrored": _share(x < 0),
        "the pairs that are mirrored alike": _share((x < 0) == (x_end < 0)),
        "the ends that are mirrored": _share(x_end < 0),
        "the second coordinate is kept": bool((row > 0).all() and (row_end > 0).all()),
        "the pairs of the pool that are drawn": "all" if len(row_end.round().unique()) == POOL else "some",
        "the pairs that are mirrored in batches of one": _share(torch.cat([x for x, _ in singles])[:, 0] < 0),
        "the pairs of the pool in batches of one": (
            "many" if len(torch.cat([ends for _, ends in singles])[:, 1].unique()) > POOL / 2 else "few"
        ),
    }


def _share(which: torch.Tensor) -> str:
    share = which.float().mean().item()
    return "none" if share == 0 else "all" if share == 1 else "half" if 0.4 < share < 0.6 else "some"


def _variant(
    for_noise: Answer = lambda mirror: mirror,
    for_end: Answer = lambda mirror: mirror,
    again: Answer = lambda chosen, count: chosen,
    coordinate: int = 0,
) -> Answer:
    """Return a batch with some parts replaced."""

    def answer(noise: torch.Tensor, end: torch.Tensor, size: int) -> Any:
        chosen = torch.randint(len(noise), (size,))
        mirror = torch.ones(size, 2)
        mirror[torch.rand(size) < 0.5, coordinate] = -1
        return noise[chosen] * for_noise(mirror), end[again(chosen, len(noise))] * for_end(mirror)

    return answer


def _first_half(noise: torch.Tensor, end: torch.Tensor, size: int) -> Any:
    """Mirror the first half of each batch."""
    chosen = torch.randint(len(noise), (size,))
    mirror = torch.ones(size, 2)
    mirror[: size // 2, 0] = -1
    return noise[chosen] * mirror, end[chosen] * mirror


def _first_pairs(noise: torch.Tensor, end: torch.Tensor, size: int) -> Any:
    """Draw from the first pairs of the pool only."""
    return _variant()(noise[:size], end[:size], size)


EXERCISE = Exercise(
    mirrored_batch,
    level="medium",
    points=3,
    cases={"a pool whose rows are known": _pool},
    observe=_observe,
    known_mistakes={
        "The bug is still there: half of the ends are mirrored. From which noise would the teacher draw a mirrored "
        "end?": [borrowed_batch, _variant(for_noise=torch.ones_like)],
        "Now the noise is mirrored and the end isn't, so the bug has moved. Both belong together.": (
            _variant(for_end=torch.ones_like)
        ),
        "Noise and end are mirrored by two draws, which agree only in half of the pairs. Draw once, and use it for "
        "both.": _variant(for_noise=lambda mirror: mirror[torch.randperm(len(mirror))]),
        "The pairs fit now, because nothing is mirrored anymore. Mirrored pairs are welcome examples: keep them, but "
        "mirror all that belongs together.": _variant(for_noise=torch.ones_like, for_end=torch.ones_like),
        "All pairs are mirrored. Half of them should be.": [
            lambda noise, end, size: tuple(
                part[chosen] * torch.tensor([-1.0, 1.0])
                for chosen in [torch.randint(len(noise), (size,))]
                for part in (noise, end)
            ),
        ],
        "Noise and ends are of different rows of the pool. The borrowed function drew one index for both.": (
            _variant(again=lambda chosen, count: torch.randint(count, (len(chosen),)))
        ),
        "You always mirror the same places of a batch, and in a batch of one none. Each pair has its own chance of "
        "1/2: what draws it?": _first_half,
        "From a large pool, you draw only the first pairs. Which number limits your draw?": _first_pairs,
    },
    also_accepted=[
        _variant(),
        lambda noise, end, size: tuple(
            torch.cat([part, part * torch.tensor([-1.0, 1.0])])[chosen]
            for chosen in [torch.randint(2 * len(noise), (size,))]
            for part in (noise, end)
        ),
    ],
    fallback_messages={
        "the shapes": "Both results should have the shape (size, 2). Yours: {given}.",
        "the rows of noise and ends": "Noise and ends aren't of the same rows of the pool.",
        "the pairs that are mirrored alike": "Not all pairs are mirrored alike: {given}.",
        "the noise that is mirrored": "Half of the noise should be mirrored, but {given} is.",
        "the pairs that are mirrored in batches of one": "Each pair should be mirrored with probability 1/2. In "
        "batches of one pair, {given} are.",
        "the pairs of the pool in batches of one": "Each batch should draw from the whole pool.",
        "the ends that are mirrored": "Half of the pairs should be mirrored, but {given} are.",
    },
    reveal=False,
    hints=(
        "The mean of an end and its mirror image is on the vertical axis. So for the network both belong to the same "
        "what?",
        "The last line mirrors only one of its two tensors.",
    ),
)
