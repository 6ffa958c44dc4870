"""Scores of all rows, and how each differs from the base of the same seed: paired, and weighed over the seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from studies.report import digits, interval
from studies.score import FIDELITY, PERCEPTION, PLAIN

from .configurations import TOGETHER, TRICKS

BASE = "base"
METRICS = (*FIDELITY, *PERCEPTION)
NAMES = {"psnr": "PSNR", "ssim": "SSIM", "energy_error": "energy-map error"}
NAMES = {metric: NAMES.get(metric, metric.replace("_", " ")) for metric in METRICS}
# Sign of a change for the better. The gradient ratio has none of its own: HR is 1, and more is sharper.
BETTER = {"psnr": 1, "ssim": 1, "energy_error": -1, "colour_shift": -1, "checkerboard": -1}
BEYOND, LEANS, CHANGES_SIGN, EQUAL, ONE_SEED = "beyond", "leans", "changes sign", "equal", "one seed"


def groups(scores: pd.DataFrame, main: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Name -> the scores of one group of images: the main photos, all photos, and each benchmark set."""
    sets = dict(iter(scores.groupby("set", sort=False)))
    photos = next(name for name in sets if name.startswith("photos"))
    found = {" and ".join(main): sets[photos][sets[photos]["image"].isin(main)]}
    if len(names := sets[photos]["image"].unique()) > len(main):
        found[f"all {len(names)} photos"] = sets[photos]
    return found | {name: one for name, one in sets.items() if name != photos}


def by_seed(group: pd.DataFrame, trick: str, lr: str = PLAIN) -> pd.DataFrame:
    """Means over the images of a group for one row: a line per seed, a column per metric."""
    chosen = group[(group["trick"] == trick) & (group["lr"] == lr)]
    return chosen.groupby("seed")[list(METRICS)].mean()


def paired(group: pd.DataFrame, trick: str, metric: str, lr: str = PLAIN) -> list[float]:
    """A row minus the base of the same seed, on the same kind of LR, in the order of the seeds."""
    return (by_seed(group, trick, lr)[metric] - by_seed(group, BASE, lr)[metric]).dropna().tolist()


@dataclass(frozen=True)
class Finding:
    """One metric of one row against the base.

    Attributes
    ----------
    kind
        `BEYOND`: all differences have one sign, and their 95 % interval (Student's t) does not hold 0; only this is
        a claim. `LEANS`: one sign, but the interval holds 0. `CHANGES_SIGN`, `EQUAL` (all 0) and `ONE_SEED`.
    mean
        Of the differences.
    spread
        Half of the interval; NaN for one seed.
    good
        Of a claim: whether it is for the better. None where the gradient ratio comes no nearer to that of HR, and
        goes no further from it, over all seeds.
    """

    metric: str
    kind: str
    mean: float
    spread: float
    good: bool | None

    @property
    def claim(self) -> bool:
        """Whether anything may be said."""
        return self.kind == BEYOND

    def __str__(self) -> str:
        """A cell of a table: a claim is bold with its direction, and anything else shows why it isn't one."""
        amount = f"{self.mean:+.{digits(self.metric)}f}"
        if not self.claim:
            return {LEANS: f"({amount})", CHANGES_SIGN: "±", EQUAL: "0", ONE_SEED: "one seed"}[self.kind]
        if self.metric != "gradient_ratio":
            return f"**{amount} {'better' if self.good else 'worse'}**"
        where = {True: ", nearer to HR", False: ", further from HR", None: ""}[self.good]
        return f"**{amount} {'sharper' if self.mean > 0 else 'softer'}{where}**"


def kind_of(differences: Sequence[float]) -> str:
    """The kind of a `Finding`, from one difference per seed."""
    if len(differences) < 2:
        return ONE_SEED
    if not any(differences):
        return EQUAL
    if min(differences) <= 0 <= max(differences):
        return CHANGES_SIGN
    return BEYOND if abs(sum(differences) / len(differences)) > interval(differences) else LEANS


def finding(group: pd.DataFrame, trick: str, metric: str, lr: str = PLAIN) -> Finding:
    """Hold one metric of a row against the base.

    Parameters
    ----------
    group
        From `groups`.
    trick, metric
        Of the row, and a name in `score.METRICS`.
    lr
        Kind of LR that both are scored on.
    """
    found = paired(group, trick, metric, lr)
    kind = kind_of(found)
    mean = sum(found) / len(found) if found else math.nan
    good = None
    if kind == BEYOND:
        good = mean * BETTER[metric] > 0 if metric in BETTER else _nearer(group, trick, metric, lr)
    return Finding(metric, kind, mean, interval(found), good)


def _nearer(group: pd.DataFrame, trick: str, metric: str, lr: str) -> bool | None:
    """Whether a ratio comes nearer to 1 in every seed; None if in some only."""
    row, base = ((by_seed(group, name, lr)[metric] - 1).abs() for name in (trick, BASE))
    nearer = (row - base).dropna() < 0
    return bool(nearer.all()) if nearer.nunique() == 1 else None


def tricks(scores: pd.DataFrame) -> list[str]:
    """Rows to compare with the base, in the order of the study."""
    there = set(scores["trick"])
    return [name for name in (*TRICKS, TOGETHER) if name in there and name != BASE]


def other_lr(scores: pd.DataFrame, trick: str) -> str | None:
    """The kind of LR that a row was trained on, where it is not that of everybody."""
    kinds = [kind for kind in scores[scores["trick"] == trick]["lr"].unique() if kind != PLAIN]
    return kinds[0] if kinds and trick != BASE else None
