"""Exercises of lab 03: smoothed labels and D's ranking of patches; and those of its other parts."""

from typing import Any

import torch

from srlab.exercises import _adversarial, _gan_step, _subpixel
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor

Pair = tuple[torch.Tensor, torch.Tensor]

# --- One-sided label smoothing --------------------------------------------------------------------------------


def smooth_labels(real: torch.Tensor, fake: torch.Tensor) -> Pair:
    """Make D's targets with one-sided label smoothing (Salimans et al. 2016, section 3.4).

    Parameters
    ----------
    real, fake
        Logits of HR and SR.

    Returns
    -------
    tuple of torch.Tensor
        0.9 in the shape and kind of number of `real`, 0 in those of `fake`; without a graph.
    """
    return torch.full_like(real, 0.9), torch.zeros_like(fake)


_SMOOTH = (
    ("HR has 1 and SR 0: these labels are not smoothed yet. Which of the two should be less sure?", 1.0, 0.0),
    (
        "SR's target is smoothed too. Only HR's should be: with a target above 0 D would give credit to pictures "
        "that are bad already, and G would hold on to them; so the smoothing is called one-sided.",
        0.9,
        0.1,
    ),
    ("HR's target is above 1, which no sigmoid reaches: D would push its logits on for ever.", 1.1, 0.0),
    ("HR and SR have changed places: the first result is for HR.", 0.0, 0.9),
    ("HR and SR have changed places: the first result is for HR.", 0.1, 0.9),
    ("Only SR's target is smoothed, and it is HR's that should be.", 1.0, 0.1),
    ("SR has the target of HR. What is SR to D?", 0.9, 0.9),
    ("HR's target is smoothed by too much: 0.1 is how far it should be from 1.", 0.1, 0.0),
    ("HR's target is 0.9 here, and not another one.", 0.8, 0.0),
    ("HR's target is 0.9 here, and not another one.", 0.95, 0.0),
)


def _targets(answer: Answer, real: torch.Tensor, fake: torch.Tensor) -> list[Any]:
    given = [logits.detach().clone().requires_grad_(logits.requires_grad) for logits in (real, fake)]
    result = filled(answer(*given))
    if isinstance(result, torch.Tensor) and result.numel() == 1:
        raise Wrong("That is one number. It is the targets that are asked for, and not the loss made with them.")
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong("The result should be two tensors, the targets of HR and of SR.")
    if not all(torch.equal(new, old) for new, old in zip(given, (real, fake), strict=True)):
        raise Wrong("The logits were changed in place: the targets were written over what D had said.")
    for target in result:
        if not isinstance(filled(target), torch.Tensor):
            raise Wrong(
                "A number is no target yet: the cross entropy wants one for each logit. Which functions of torch make "
                "a tensor like another one?"
            )
    return list(result)


def _smooth_values(answer: Answer) -> None:
    real, fake = (sample(4, 1, low=-2, high=2, seed=seed) for seed in (1, 2))
    yes, no = _targets(answer, real, fake)
    for name, target in (("HR", yes), ("SR", no)):
        values = tensor(target, (4, 1), f"Those are the targets of {name}.")
        if near(values, 0.9 * (real if name == "HR" else fake)):
            raise Wrong("The logits are scaled, and the labels are not smoothed: a target does not depend on them.")
        if values.double().std() > 1e-4:
            raise Wrong(
                f"The targets of {name} differ from logit to logit. Labels drawn at random are another trick; one-"
                "sided smoothing has one number for all HR."
            )
    result = torch.cat([yes.detach(), no.detach()])
    mistakes = [(hint, torch.tensor([[r]] * 4 + [[f]] * 4)) for hint, r, f in _SMOOTH]
    compare(result, torch.tensor([[0.9]] * 4 + [[0.0]] * 4), mistakes, "HR's targets, then SR's:", tolerance=1e-5)


def _smooth_kind(answer: Answer) -> None:
    for dtype in (torch.float32, torch.float64):
        real, fake = sample(2, 1, 3, 5).to(dtype), sample(3, 1, 2, 2).to(dtype)
        for name, target, logits in zip(("HR", "SR"), _targets(answer, real, fake), (real, fake), strict=True):
            tensor(target, tuple(logits.shape), f"Each logit of {name} needs a target, however many there are.")
            if target.dtype != dtype:
                raise Wrong(f"The logits of {name} are {logits.dtype}, but their targets {target.dtype}.")


def _smooth_graph(answer: Answer) -> None:
    real, fake = (sample(4, 1, seed=seed).requires_grad_() for seed in (1, 2))
    if any(target.requires_grad for target in _targets(answer, real, fake)):
        raise Wrong("A target hangs on the graph of the logits. It is fixed, and nothing learns through it.")


# --- Does D rank HR above SR? -----------------------------------------------------------------------------------


def ranked_share(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Share of all pairs of an HR and an SR patch in which HR has the higher logit; equal ones count half.

    This is the area under the ROC curve of D. 0.5 means that D cannot tell, 1 that it always can.

    Parameters
    ----------
    real, fake
        Logits, ``(M,)`` and ``(N,)``.

    Returns
    -------
    torch.Tensor
        ``()``, 0 to 1.
    """
    difference = real[:, None] - fake  # (M, N): each against each
    return ((difference > 0).double() + (difference == 0).double() / 2).mean()


def _rank_mistakes(real: torch.Tensor, fake: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    real, fake = real.double(), fake.double()
    count = min(len(real), len(fake))
    difference, same = real[:, None] - fake, real[:count] - fake[:count]
    right, by_index = ranked_share(real, fake), ranked_share(same, torch.zeros(1))
    yes, no = (real > 0).double(), (fake < 0).double()
    index = (
        "Only patches with the same index are compared. HR and SR have no order, so each HR patch meets each SR patch."
    )
    border = (
        "That counts how often D is right about single patches, with the logit 0, a probability of one half, as "
        "the border. D may call everything real and still rank HR above SR: only the order of two counts."
    )
    ties = "Two equal logits tell nothing, so such a pair counts half: neither {} nor {}."
    total = "That is no share yet: it is the number of pairs. By how many pairs should it be divided?"
    return [
        (index, (same > 0).double().mean()),
        (index, (same >= 0).double().mean()),
        (index, by_index),
        (index, by_index * count / len(real)),
        (ties.format("1", "0"), (difference >= 0).double().mean()),
        (ties.format("0", "1"), (difference > 0).double().mean()),
        (ties.format("left out", "0"), (difference > 0).sum() / (difference != 0).sum()),
        ("HR and SR have changed places: this is how often SR is ranked above HR.", 1 - right),
        (border, yes.mean()),
        (border, (yes.mean() + no.mean()) / 2),
        (border, torch.cat([yes, no]).mean()),
        (border, no.mean()),
        (border, 1 - no.mean()),
        (border, (real.sigmoid() > 0.5).double().mean() - (fake.sigmoid() > 0.5).double().mean()),
        ("That is how far the mean logits are apart. One large logit could decide it.", difference.mean()),
        ("That is how far the mean probabilities are apart.", real.sigmoid().mean() - fake.sigmoid().mean()),
        (
            "Only the two means are compared. Each HR patch is a contest of its own with each SR patch.",
            float(real.mean() > fake.mean()),
        ),
        (
            "A pair is won or lost, or a draw: how far the logits are apart does not matter.",
            difference.sigmoid().mean(),
        ),
        (total, right * difference.numel()),
        (total, right * len(real)),
        (total, right * len(fake)),
        ("The share should run from 0 to 1, and not to 100.", right * 100),
        ("This runs from -1 to 1: a lost pair was taken off, but it should count 0.", 2 * right - 1),
        (
            "Each HR patch is compared with the mean of SR, not with each SR patch.",
            (real > fake.mean()).double().mean(),
        ),
        (
            "Each HR patch must beat the best SR patch here. It meets them one by one.",
            (real > fake.max()).double().mean(),
        ),
    ]


def _ranked(real: list[float], fake: list[float], otherwise: str) -> Answer:
    def step(answer: Answer) -> None:
        x, y = torch.tensor(real), torch.tensor(fake)
        given = x.clone(), y.clone()
        try:
            result = tensor(answer(*given), (), "One number for all pairs.")
        except RuntimeError as error:
            if "must match the size" in str(error):
                raise Wrong(
                    f"{len(real)} HR and {len(fake)} SR patches cannot be compared index by index. Each HR patch meets "
                    "each SR patch: which shapes make torch compare all with all?"
                ) from error
            raise
        if not (torch.equal(x, given[0]) and torch.equal(y, given[1])):
            raise Wrong("The logits were changed in place, by sorting them, say.")
        compare(result, ranked_share(x, y), _rank_mistakes(x, y), otherwise)

    return step


def _ranked_equal(answer: Answer) -> None:
    result = tensor(answer(torch.full((2,), 0.3), torch.full((3,), 0.3)), ())
    compare(result, 0.5, otherwise="Where all logits are equal, each pair is a draw.")


def _ranked_high(answer: Answer) -> None:
    real, fake = torch.tensor([30.0, 60.0]), torch.tensor([20.0, 50.0])
    result = tensor(answer(real, fake), ())
    lost = "In float32 the sigmoids of 30 and 50 are both 1. The logits themselves keep the order. Is a sigmoid needed?"
    saturated = ranked_share(real.sigmoid(), fake.sigmoid())
    mistakes = [(lost, saturated), (lost, 0.0), (lost, 1.0), *_rank_mistakes(real, fake)]
    compare(result, ranked_share(real, fake), mistakes, "With large logits:")


EXERCISES = {
    **_adversarial.EXERCISES,
    **_gan_step.EXERCISES,
    **_subpixel.EXERCISES,
    "srgan.smooth_labels": Exercise(
        smooth_labels,
        (
            ("0.9 for HR, 0 for SR", _smooth_values),
            ("one target for each logit", _smooth_kind),
            ("no graph", _smooth_graph),
        ),
        "easy",
        (
            "The cross entropy takes a target for each logit, as a tensor of the same shape.",
            "torch.full_like and torch.zeros_like make tensors like another one.",
        ),
    ),
    "srgan.ranked_share": Exercise(
        ranked_share,
        (
            (
                "each HR patch against each SR patch",
                _ranked([-0.4, 0.4, -2.7, 2.8, 0.6, 1.8], [-2.5, 0.9, -1.2, 3.4, -1.4, -2.0], "Six patches of each:"),
            ),
            (
                "more of one kind than of the other",
                _ranked([0.2, 0.6, 0.2], [1.3, -1.3, -0.1, 1.5, 0.3], "Three against five:"),
            ),
            ("draws", _ranked([0.0, 0.5, 1.5, 0.0, -0.5], [0.5, -1.0, 0.5, -0.5], "With equal logits:")),
            ("a D that says the same of all", _ranked_equal),
            ("only the order counts", _ranked_high),
        ),
        "medium",
        (
            "M HR and N SR patches make M * N pairs. In how many of them is HR the winner?",
            "A column (M, 1) set against a row (N,) gives all pairs as a table (M, N).",
        ),
    ),
}
