"""Lab 01: the mean loss of an epoch."""

from collections.abc import Sequence

from srlab.exercises import Answer, Exercise


def running_mean(losses: Sequence[float], batch_sizes: Sequence[int]) -> float:
    """Mean loss over all images of an epoch whose batches differ in size.

    Parameters
    ----------
    losses
        The mean loss of each batch.
    batch_sizes
        How many images each batch had.

    Returns
    -------
    float
        The mean over images, not over batches.
    """
    return sum(loss * size for loss, size in zip(losses, batch_sizes, strict=True)) / sum(batch_sizes)


def _products(losses: Sequence[float], sizes: Sequence[int]) -> float:
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True))


def _inside(weighted: bool, divisor: str) -> Answer:
    """Divide the total within the loop, by one of the likely numbers."""

    def mean(losses: Sequence[float], sizes: Sequence[int]) -> float:
        total = 0.0
        for place, (loss, size) in enumerate(zip(losses, sizes, strict=True)):
            divisors = {"batches": len(losses), "images": sum(sizes), "so far": place + 1, "batch": size}
            total = (total + loss * (size if weighted else 1)) / divisors[divisor]
        return total

    return mean


EXERCISE = Exercise(
    running_mean,
    level="easy",
    cases={
        "batches of 8, 8 and 8 images": ([0.4, 0.2, 0.3], [8, 8, 8]),
        "a smaller last batch: 8, 8 and 2 images": ([0.4, 0.2, 0.9], [8, 8, 2]),
    },
    mistakes={
        "Every batch counts the same here, but the last one holds fewer images. How much should it weigh?": (
            lambda losses, sizes: sum(losses) / len(losses)
        ),
        "That is a total, not a mean. By how many images should it be divided?": [
            _products,
            lambda losses, sizes: sum(losses),
        ],
        "The losses were weighted by images but divided by batches. Divide by what you weighted with.": (
            lambda losses, sizes: _products(losses, sizes) / len(losses)
        ),
        "The losses were not weighted, but divided by images. Each loss is already the mean of its batch.": (
            lambda losses, sizes: sum(losses) / sum(sizes)
        ),
        "The total is divided while it still grows, so early batches are divided again and again and nearly vanish. "
        "When is the total complete?": [
            _inside(weighted, divisor)
            for weighted in (False, True)
            for divisor in ("batches", "images", "so far", "batch")
        ],
    },
    also_right=[lambda losses, sizes: _products([size / sum(sizes) for size in sizes], losses)],
    hints=(
        "The loss of a batch is a mean over its images. The mean of the epoch is over all images.",
        "Loss times size gives back the total of a batch. Add these up first; what is left to do once, at the end?",
    ),
)
