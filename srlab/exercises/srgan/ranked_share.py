"""Lab 03: how often D ranks HR above SR."""

import torch

from srlab.exercises import Exercise


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


def _yes(logits: torch.Tensor) -> torch.Tensor:
    """Share of the patches that D calls real."""
    return (logits > 0).double().mean()


def _won(difference: torch.Tensor) -> torch.Tensor:
    """Share of won contests; a draw counts half."""
    return (difference.sign().double().mean() + 1) / 2


EXERCISE = Exercise(
    ranked_share,
    level="medium",
    cases={
        "each HR patch against each SR patch": (
            torch.tensor([-0.4, 0.4, -1.7, 2.8, 0.6, 1.8]),
            torch.tensor([0.2, 0.9, -1.2, 3.4, -1.4, -2.0]),
        ),
        "more of one kind than of the other": (
            torch.tensor([0.2, 0.6, 0.2]),
            torch.tensor([1.3, -1.3, -0.1, 1.5, 0.3]),
        ),
        "draws": (torch.tensor([0.0, 0.5, 1.5, 0.0, -0.5]), torch.tensor([0.5, -1.0, 0.5, -0.5])),
        "a D that says the same of all": (torch.full((2,), 0.3), torch.full((3,), 0.3)),
        "only the order counts, however large the logits are": (torch.tensor([30.0, 60.0]), torch.tensor([20.0, 50.0])),
    },
    mistakes={
        "Only patches at the same place of the two lists are compared. They come in no order, so each HR patch meets "
        "each SR patch: which shapes make torch compare all with all?": [
            lambda real, fake: (real > fake).double().mean(),
            lambda real, fake: _won(torch.stack([a - b for a, b in zip(real, fake, strict=False)])),
        ],
        "Both lists were sorted, and the same places compared: the best HR patch meets the best SR patch alone. "
        "Sorting doesn't pair them all; which shapes make torch compare all with all?": [
            lambda real, fake: (real.sort().values > fake.sort().values).double().mean(),
            lambda real, fake: _won(torch.stack([a - b for a, b in zip(real.msort(), fake.msort(), strict=False)])),
        ],
        "Two equal logits say nothing, so such a pair counts half: neither 0 nor 1.": [
            lambda real, fake: (real[:, None] >= fake).double().mean(),
            lambda real, fake: (real[:, None] > fake).double().mean(),
        ],
        "HR and SR have changed places: this is how often SR is ranked above HR.": (
            lambda real, fake: ranked_share(fake, real)
        ),
        "That counts how often D is right about single patches, with a border such as the logit 0, a probability of "
        "one half. D may call everything real and still rank HR above SR: only the order of two counts.": [
            lambda real, fake: _yes(real),
            lambda real, fake: _yes(-fake),
            lambda real, fake: (_yes(real) + _yes(-fake)) / 2,
            lambda real, fake: _yes(torch.cat([real, -fake])),
            lambda real, fake: _yes(real) - _yes(fake),
        ],
        "That is how far the mean logits, or the mean probabilities, are apart. One large value could decide it.": [
            lambda real, fake: real.mean() - fake.mean(),
            lambda real, fake: real.sigmoid().mean() - fake.sigmoid().mean(),
        ],
        "Only the two means are compared. Each HR patch is a contest of its own with each SR patch.": (
            lambda real, fake: float(real.mean() > fake.mean())
        ),
        "A pair is won or lost, or a draw: how far the logits are apart does not matter.": (
            lambda real, fake: (real[:, None] - fake).sigmoid().mean()
        ),
        "A // rounds down to a whole number: 0 or 1.": (
            lambda real, fake: (real[:, None] > fake).sum() // (len(real) * len(fake))
        ),
        "That's a count, or a count divided by too little. How many pairs are there?": [
            lambda real, fake: (real[:, None] > fake).sum(),
            lambda real, fake: ranked_share(real, fake) * len(real),
        ],
        "The share should run from 0 to 1, not to 100 and not from -1: a lost pair counts 0.": [
            lambda real, fake: 100 * ranked_share(real, fake),
            lambda real, fake: 2 * ranked_share(real, fake) - 1,
        ],
        "One of the two kinds is only one value here, its mean or its best patch. They meet one by one.": [
            lambda real, fake: (real.max() > fake).double().mean(),
            lambda real, fake: (real.mean() > fake).double().mean(),
            lambda real, fake: (real > fake.mean()).double().mean(),
            lambda real, fake: (real > fake.max()).double().mean(),
        ],
        "One number for all pairs.": lambda real, fake: (real[:, None] > fake).double().mean(1),
        "In float32 the sigmoids of 30 and 50 are both 1. The logits themselves keep the order. Is a sigmoid needed?": (
            lambda real, fake: ranked_share(real.sigmoid(), fake.sigmoid())
        ),
    },
    also_right=[lambda real, fake: _won(real[:, None] - fake)],
    otherwise={"a D that says the same of all": "Where all logits are equal, each pair is a draw."},
    hints=(
        "M HR and N SR patches make M * N pairs. In how many of them is HR the winner?",
        "A column (M, 1) set against a row (N,) gives all pairs as a table (M, N).",
    ),
)
