"""The exercises of lab 01 about what a loss asks for and how a training keeps its records."""

from collections.abc import Sequence

import torch

from srlab.base.errors import SrlabError
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, tensor

# --- What a loss asks for -----------------------------------------------------------------------------------


def best_guess(candidates: torch.Tensor, probabilities: torch.Tensor, loss: str) -> torch.Tensor:
    """Return the one value with the smallest expected loss.

    Parameters
    ----------
    candidates
        ``(K,)``, values that the true pixel may have.
    probabilities
        ``(K,)``, how likely each is; they add up to 1.
    loss
        ``"mse"`` (answered by the mean) or ``"l1"`` (answered by the median).

    Returns
    -------
    torch.Tensor
        ``()``.
    """
    if loss == "mse":
        return (candidates * probabilities).sum()
    if loss != "l1":
        raise SrlabError(f"Unknown loss '{loss}'; choose mse or l1.")
    order = candidates.argsort()
    reached = probabilities[order].cumsum(0) >= 0.5
    return candidates[order][reached.long().argmax()]


# Sorted: 0.1 (0.33), 0.2 (0.22), 0.5 (0.10), 0.6 (0.15), 0.9 (0.20). Each way to go wrong gives another value.
_VALUES = (0.2, 0.5, 0.6, 0.9, 0.1)
_CHANCES = (0.22, 0.10, 0.15, 0.20, 0.33)
_MEAN, _MEDIAN = 0.397, 0.2
_LIKELY = "That is the most probable value. It is often right, but when it is wrong it may be wrong by much."
_EQUAL = "All candidates count the same here. Some are more probable than others; where do the probabilities come in?"


def _guess(
    answer: Answer, loss: str, values: Sequence[float] = _VALUES, chances: Sequence[float] = _CHANCES
) -> torch.Tensor:
    return tensor(answer(torch.tensor(values), torch.tensor(chances), loss), ())


def _guess_mse(answer: Answer) -> None:
    mistakes = [
        (_EQUAL, 0.46),
        (_EQUAL, 0.5),
        (_LIKELY, 0.1),
        ("That is the median, which belongs to the other loss. What does the squared loss do to a far miss?", _MEDIAN),
        ("The weighted values were averaged again. The probabilities already add up to 1.", _MEAN / 5),
    ]
    result = _guess(answer, "mse")
    if 2e-3 < abs(float(result) - _MEAN) < 2e-2:
        raise Wrong("Close, but a list of guesses meets the best one only by luck. Which formula gives it directly?")
    compare(result, _MEAN, mistakes, "Another value has a smaller expected squared error.", 2e-3)


def _guess_l1(answer: Answer) -> None:
    paired = "The values are in order, but each probability should move along with its value."
    mistakes = [
        (
            "That is the mean, as for the squared loss. With the absolute error a far miss counts only in proportion; "
            "which value has half of the probability on either side?",
            _MEAN,
        ),
        (_EQUAL, 0.46),
        (_EQUAL, 0.5),
        (_LIKELY, 0.1),
        ("Half of the probability was counted off in the order of the list. In which order should the values be?", 0.9),
        (paired, 0.6),
    ]
    compare(_guess(answer, "l1"), _MEDIAN, mistakes, "Another value has a smaller expected absolute error.", 2e-3)


def _guess_edge(answer: Answer) -> None:
    edge = ((1.0, 0.0), (0.4, 0.6))
    otherwise = "An edge that is bright with probability 0.4 and dark with 0.6, loss {}."
    compare(_guess(answer, "mse", *edge), 0.4, otherwise=otherwise.format("mse"), tolerance=2e-3)
    compare(_guess(answer, "l1", *edge), 0.0, otherwise=otherwise.format("l1"), tolerance=2e-3)


# --- Which checkpoint to keep -------------------------------------------------------------------------------


def keep_best(history: Sequence[dict[str, float]]) -> int:
    """Return the step with the highest PSNR, the earliest if several share it.

    Parameters
    ----------
    history
        One dict per validation, in order: ``step``, ``psnr`` in dB, ``ssim``.

    Returns
    -------
    int
        The step, not its PSNR.
    """
    return max(history, key=lambda entry: entry["psnr"])["step"]  # of equals, max takes the first


def _history(*rows: tuple[int, float, float]) -> list[dict[str, float]]:
    return [{"step": step, "psnr": psnr, "ssim": ssim} for step, psnr, ssim in rows]


_LAST = (
    "That is the last step. A comparison that is always true keeps the newest: what is PSNR, in dB, compared with in "
    "your code? SSIM is never above 1."
)


def _kept(answer: Answer, history: list[dict[str, float]]) -> torch.Tensor:
    result = filled(answer(history))
    if isinstance(result, dict):
        raise Wrong("That is the whole entry. The lab needs its step, to find the checkpoint.")
    return tensor(result, ())


def _keep_highest(answer: Answer) -> None:
    mistakes = [
        (_LAST, 400),
        ("That is the step with the best SSIM. Here PSNR decides.", 300),
        ("That is the PSNR itself. The lab needs the step that it belongs to.", 28.4),
        ("That is a position in the list. The lab needs the step that is written there.", 1),
        ("That is the worst of all, or the first. Is higher PSNR better or worse?", 100),
    ]
    history = _history((100, 26.1, 0.70), (200, 28.4, 0.74), (300, 27.9, 0.80), (400, 27.2, 0.79))
    compare(_kept(answer, history), 200, mistakes, "Another step has the highest PSNR.")


def _keep_earliest(answer: Answer) -> None:
    later = "Two steps have the same PSNR and yours is the later one. What does >= do that > does not?"
    history = _history((100, 26.1, 0.70), (200, 28.4, 0.74), (300, 28.4, 0.80), (400, 27.2, 0.79))
    compare(_kept(answer, history), 200, [(later, 300), (_LAST, 400)], "Another step has the highest PSNR.")


def _keep_below_zero(answer: Answer) -> None:
    start = "An untrained network can have a PSNR below 0 dB. With what does your running best begin?"
    try:
        result = answer(_history((10, -5.0, 0.01), (20, -2.0, 0.02), (30, -3.0, 0.02)))
    except UnboundLocalError as error:  # no entry was ever better, so the step has no value
        raise Wrong(start) from error
    if result is None:
        raise Wrong(start)
    mistakes = [(start, 0), (start, -1), (start, 10), (_LAST, 30)]
    compare(tensor(result, ()), 20, mistakes, "The PSNR is below 0 dB in all of these steps.")


# --- The mean loss of an epoch ------------------------------------------------------------------------------


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


def _divided_inside(losses: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """What comes out when the running total is divided within the loop, by one of the likely numbers."""
    results = []
    for weights in ([1] * len(losses), sizes):
        for divisors in ([len(losses)] * len(losses), [sum(sizes)] * len(losses), range(1, len(losses) + 1), sizes):
            total = 0.0
            for loss, weight, divisor in zip(losses, weights, divisors, strict=True):
                total = (total + loss * weight) / divisor
            results.append(total)
    return results


def _epoch(losses: Sequence[float], sizes: Sequence[int], otherwise: str) -> Answer:
    inside = (
        "The total is divided while it still grows, so early batches are divided again and again and nearly vanish. "
        "When is the total complete?"
    )
    products = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
    mistakes = [
        (
            "Every batch counts the same here, but the last one holds fewer images. How much should it weigh?",
            sum(losses) / len(losses),
        ),
        ("That is a total, not a mean. By how many images should it be divided?", products),
        (
            "The losses were weighted by images but divided by batches. Divide by what you weighted with.",
            products / len(losses),
        ),
        (
            "The losses were not weighted, but divided by images. Each loss is already the mean of its batch.",
            sum(losses) / sum(sizes),
        ),
        *((inside, value) for value in _divided_inside(losses, sizes)),
    ]

    def step(answer: Answer) -> None:
        compare(tensor(answer(list(losses), list(sizes)), ()), running_mean(losses, sizes), mistakes, otherwise)

    return step


EXERCISES = {
    "srresnet.best_guess": Exercise(
        best_guess,
        (("mse", _guess_mse), ("l1", _guess_l1), ("an edge that may be bright or dark", _guess_edge)),
        "medium",
        (
            "Try a few guesses by hand and work out the expected loss of each. What moves the best guess more: one far "
            "candidate, or many near ones?",
            "The squared error is smallest at the mean, the absolute error at the median, both weighted.",
        ),
    ),
    "srresnet.keep_best": Exercise(
        keep_best,
        (
            ("the step with the highest PSNR", _keep_highest),
            ("the earliest of equals", _keep_earliest),
            ("a start below 0 dB", _keep_below_zero),
        ),
        "easy",
        (
            "Go through the validations in order and remember the best so far, and where it was.",
            "Compare PSNR with PSNR, begin with the first entry, and replace it only when the new one is truly higher.",
        ),
    ),
    "srresnet.running_mean": Exercise(
        running_mean,
        (
            ("batches of equal size", _epoch((0.4, 0.2, 0.3), (8, 8, 8), "With batches of 8, 8 and 8 images:")),
            ("a smaller last batch", _epoch((0.4, 0.2, 0.9), (8, 8, 2), "With batches of 8, 8 and 2 images:")),
        ),
        "easy",
        (
            "The loss of a batch is a mean over its images. The mean of the epoch is over all images.",
            "Loss times size gives back the total of a batch. Add these up first; what is left to do once, at the end?",
        ),
    ),
}
