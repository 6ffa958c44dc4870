"""What the differences say in words: claims per metric, beside what ESRDGAN found."""

import pandas as pd

from studies.report import digits, features

from .configurations import DID_NOT, GAN_STAGE, HELPED, Trick
from .differences import BEYOND, CHANGES_SIGN, EQUAL, LEANS, ONE_SEED, Finding, finding
from .score import METRICS, PLAIN

NAMES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "gradient_ratio": "gradient ratio",
    "energy_error": "energy-map error",
    "colour_shift": "colour shift",
    "checkerboard": "checkerboard",
}
UNITS = {"psnr": " dB", "colour_shift": " levels", "checkerboard": " levels"}


def features_of(scores: pd.DataFrame, trick: str) -> str:
    """What a row looked through."""
    return features(scores[scores["trick"] == trick])


def findings(group: pd.DataFrame, trick: str, lr: str = PLAIN) -> list[Finding]:
    """All metrics of a row against the base."""
    return [finding(group, trick, metric, lr) for metric in METRICS]


def cell(found: Finding) -> str:
    """A finding in a table: a claim is bold and says its direction, and what may not be claimed says why."""
    if found.kind == BEYOND:
        return f"**{amount(found)} {direction(found)}**"
    return {
        LEANS: f"({amount(found)})",
        CHANGES_SIGN: "±",
        EQUAL: "0",
        ONE_SEED: "one seed",
    }[found.kind]


def amount(found: Finding) -> str:
    """Mean difference with its sign."""
    return f"{found.mean:+.{digits(found.metric)}f}"


def direction(found: Finding) -> str:
    """Better or worse, and for the gradient ratio what it is."""
    if found.metric != "gradient_ratio":
        return "better" if found.good else "worse"
    where = {True: ", nearer to HR", False: ", further from HR", None: ""}[found.good]
    return f"{'sharper' if found.mean > 0 else 'softer'}{where}"


def sentences(scores: pd.DataFrame, group: pd.DataFrame, name: str, trick: Trick, lr: str = PLAIN) -> str:
    """What may be said of a row, per metric, and whether it is what ESRDGAN found.

    Parameters
    ----------
    scores
        All, for the features.
    group
        Those of the images that it is about.
    name, trick
        The row.
    lr
        Kind of LR that it and the base are scored on.
    """
    found = findings(group, name, lr)
    parts = [f"**{name}** (ESRDGAN: {trick.verdict}; features {features_of(scores, name)})."]
    claims = [
        f"{NAMES[one.metric]} {amount(one)}{UNITS.get(one.metric, '')}, {direction(one)}" for one in found if one.claim
    ]
    parts.append(f"Beyond the spread over seeds: {'; '.join(claims)}." if claims else NOTHING)
    reasons = {
        LEANS: "one sign in all seeds, but within the spread",
        CHANGES_SIGN: "the sign changes over the seeds",
        EQUAL: "no difference at all",
        ONE_SEED: "there is one seed",
    }
    for kind, reason in reasons.items():
        if names := [NAMES[one.metric] for one in found if one.kind == kind]:
            parts.append(f"No claim on {', '.join(names)}: {reason}.")
    return " ".join([*parts, *agreement(found, trick.verdict), *([trick.caution] if trick.caution else [])])


NOTHING = "Nothing is beyond the spread over seeds."


def agreement(found: list[Finding], verdict: str) -> list[str]:
    """Whether each claim goes with ESRDGAN's; fidelity and sharpness are different questions, so never one answer."""
    better = [NAMES[one.metric] for one in found if one.claim and one.good]
    worse = [NAMES[one.metric] for one in found if one.claim and one.good is False]
    if verdict not in (HELPED, DID_NOT) or not (better or worse):
        return []
    wanted, other = (better, worse) if verdict == HELPED else (worse, better)
    text = [f"In line with ESRDGAN: {', '.join(wanted)}."] if wanted else []
    return text + ([f"Against it: {', '.join(other)}."] if other else [])


def own_stage(changed: dict[str, object]) -> bool:
    """Whether a row differs from the base in its PSNR stage as well."""
    return not set(changed) <= GAN_STAGE


def chance(found: list[Finding]) -> str:
    """How many of the claims chance alone would give."""
    if all(one.kind == ONE_SEED for one in found):
        return "There is one seed, so nothing can be claimed."
    return (
        f"Of {len(found)} comparisons, {sum(one.claim for one in found)} are beyond the spread. An interval of 95 % is "
        f"wrong once in twenty, so chance alone would give about {len(found) / 20:.0f}: trust a pattern over metrics "
        "and images more than a single cell."
    )
