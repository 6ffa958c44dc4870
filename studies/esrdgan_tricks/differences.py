"""Scores of all rows, and paired differences from the base of the same seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from srlab.evaluation.catalog import METRICS as CATALOG
from studies.report import digits, interval
from studies.score import FIDELITY, PERCEPTION, PLAIN

from .configurations import TOGETHER, TRICKS

BASE = "base"
METRICS = (*FIDELITY, *PERCEPTION)
NAMES = {"psnr": "PSNR", "ssim": "SSIM", "energy_error": "energy-map error"}
NAMES = {metric: NAMES.get(metric, metric.replace("_", " ")) for metric in METRICS}
BEYOND, LEANS, CHANGES_SIGN, EQUAL, ONE_SEED = "beyond", "leans", "changes sign", "equal", "one seed"


def groups(scores: pd.DataFrame, main: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the scores of each group of images, by name: the main photos, all photos, and each benchmark set."""
    sets = dict(iter(scores.groupby("set", sort=False)))
    photos = next(name for name in sets if name.startswith("photos"))
    found = {" and ".join(main): sets[photos][sets[photos]["image"].isin(main)]}
    if len(names := sets[photos]["image"].unique()) > len(main):
        found[f"all {len(names)} photos"] = sets[photos]
    return found | {name: one for name, one in sets.items() if name != photos}


def by_seed(group: pd.DataFrame, trick: str, lr: str = PLAIN) -> pd.DataFrame:
    """Return the means over the images of a group for one row: a line per seed, a column per metric."""
    chosen = group[(group["trick"] == trick) & (group["lr"] == lr)]
    return chosen.groupby("seed")[list(METRICS)].mean()


def paired(group: pd.DataFrame, trick: str, metric: str, lr: str = PLAIN) -> list[float]:
    """Return a row minus the base, for each seed, on the same kind of LR."""
    return (by_seed(group, trick, lr)[metric] - by_seed(group, BASE, lr)[metric]).dropna().tolist()


@dataclass(frozen=True)
class Finding:
    """One metric of one row compared with the base.

    Attributes
    ----------
    kind
        `BEYOND`: all differences have the same sign, and their 95 % interval (Student's t) does not contain 0; only
        this is a claim. `LEANS`: the same sign, but the interval contains 0. `CHANGES_SIGN`, `EQUAL` (all 0) and
        `ONE_SEED`.
    mean
        Mean of the differences.
    spread
        Half of the interval; NaN for one seed.
    good
        For a claim, whether the change is for the better. None for a gradient ratio that is nearer to that of HR in
        some seeds only.
    """

    metric: str
    kind: str
    mean: float
    spread: float
    good: bool | None

    @property
    def claim(self) -> bool:
        """Whether this is a claim."""
        return self.kind == BEYOND

    def __str__(self) -> str:
        """Return a table cell: a claim is bold with its direction, and other cells show why it is not a claim."""
        amount = f"{self.mean:+.{digits(self.metric)}f}"
        if not self.claim:
            return {LEANS: f"({amount})", CHANGES_SIGN: "±", EQUAL: "0", ONE_SEED: "one seed"}[self.kind]
        if self.metric != "gradient_ratio":
            return f"**{amount} {'better' if self.good else 'worse'}**"
        where = {True: ", closer to HR", False: ", further from HR", None: ""}[self.good]
        return f"**{amount} {'sharper' if self.mean > 0 else 'blurrier'}{where}**"


def kind_of(differences: Sequence[float]) -> str:
    """Return the kind of a `Finding`, from one difference per seed."""
    if len(differences) < 2:
        return ONE_SEED
    if not any(differences):
        return EQUAL
    if min(differences) <= 0 <= max(differences):
        return CHANGES_SIGN
    return BEYOND if abs(sum(differences) / len(differences)) > interval(differences) else LEANS


def finding(group: pd.DataFrame, trick: str, metric: str, lr: str = PLAIN) -> Finding:
    """Compare one metric of a row with the base, in a group from `groups`, on one kind of LR."""
    found = paired(group, trick, metric, lr)
    kind = kind_of(found)
    mean = sum(found) / len(found) if found else math.nan
    good = None
    if kind == BEYOND:
        better = CATALOG[metric].better
        good = mean * better > 0 if better else _nearer(group, trick, metric, lr)
    return Finding(metric, kind, mean, interval(found), good)


def _nearer(group: pd.DataFrame, trick: str, metric: str, lr: str) -> bool | None:
    """Return whether a ratio is nearer to 1 in every seed; None if only in some."""
    row, base = ((by_seed(group, name, lr)[metric] - 1).abs() for name in (trick, BASE))
    nearer = (row - base).dropna() < 0
    return bool(nearer.all()) if nearer.nunique() == 1 else None


def tricks(scores: pd.DataFrame) -> list[str]:
    """Return the rows to compare with the base, in the order of the study."""
    there = set(scores["trick"])
    return [name for name in (*TRICKS, TOGETHER) if name in there and name != BASE]


def other_lr(scores: pd.DataFrame, trick: str) -> str | None:
    """Return the kind of LR that a row was trained on, or None for the usual one."""
    kinds = [kind for kind in scores[scores["trick"] == trick]["lr"].unique() if kind != PLAIN]
    return kinds[0] if kinds and trick != BASE else None
