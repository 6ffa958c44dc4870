"""Bands of healthy runs: how far the curves of one recipe lie apart over seeds, and a run held against that."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from srlab.base.errors import SrlabError
from srlab.training.runs import Run
from srlab.training.symptoms import ENOUGH, Finding, History

BANDS = Path(__file__).parent / "healthy"  # one file a lab, by benchmarks/make_bands.py
NAMES = {
    "loss": "loss",
    "g_loss": "loss of G",
    "d_loss": "loss of D",
    "d_real": "D(HR)",
    "d_fake": "D(SR)",
    "g_norm": "gradient of G",
    "d_norm": "gradient of D",
}  # not the validation's scores, which depend on the photos


def make_band(runs: Sequence[Run]) -> dict[str, Any]:
    """Lowest and highest value of each logged number over runs that differ in their seed alone.

    Parameters
    ----------
    runs
        Finished runs of one lab.

    Returns
    -------
    dict
        ``lab``, ``seeds``, ``recipe`` (what the runs have in common), and ``curves``: for each name a list of
        ``[step, lowest, highest]``.

    Raises
    ------
    SrlabError
        Fewer than two runs, one that is not finished, or runs of different recipes.
    """
    if len(runs) < 2:
        raise SrlabError("A band needs two runs at least, with different seeds.")
    manifests = [run.manifest() or {} for run in runs]
    for run, manifest in zip(runs, manifests, strict=True):
        if manifest.get("state") != "finished":
            raise SrlabError(f"{run.path} is no finished run; train it to its end first.")
    recipes = [_recipe(manifest) for manifest in manifests]
    for run, recipe in zip(runs, recipes, strict=True):
        if changed := _changed(recipes[0], recipe):
            raise SrlabError(f"{run.path} has another {changed[0]} than {runs[0].path}; a band is of one recipe.")
    histories = [run.metrics() for run in runs]
    curves: dict[str, Any] = {}
    for key in NAMES:
        found = [{row["step"]: row[key] for row in history if key in row} for history in histories]
        steps = sorted(set.intersection(*map(set, found)))
        if steps:
            curves[key] = [[step, min(one[step] for one in found), max(one[step] for one in found)] for step in steps]
    seeds = [manifest["parameters"]["seed"] for manifest in manifests]
    return {"lab": runs[0].lab, "seeds": seeds, "recipe": recipes[0], "curves": curves}


def read_band(lab: str) -> dict[str, Any] | None:
    """The band of a lab's default run that comes with srlab, or None."""
    file = BANDS / f"{lab}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def beside(history: History, manifest: Mapping[str, Any], band: Mapping[str, Any] | None) -> tuple[list[Finding], str]:
    """Hold a run against a band.

    Parameters
    ----------
    history, manifest
        Of the run.
    band
        From `make_band`, or None.

    Returns
    -------
    list of Finding
        For each curve that lies outside of the band for most of its second half.
    str
        What was compared, and if nothing was, why.
    """
    if band is None:
        return [], "srlab brings no healthy runs of this lab to compare with, so only its rules were asked."
    if changed := _changed(band["recipe"], _recipe(manifest)):
        return [], (
            f"The band of healthy runs is of another recipe ({', '.join(changed[:3])}), so only the rules were asked."
        )
    found = []
    for key, curve in band["curves"].items():
        healthy = {step: (low, high) for step, low, high in curve}
        points = [(row[key], *healthy[row["step"]]) for row in history if key in row and row["step"] in healthy]
        if len(points) < ENOUGH:
            continue
        late = points[len(points) // 2 :]
        # A few seeds do not span all that is healthy: their range is allowed once more on each side.
        room = max(fmean(high - low for _, low, high in late), 0.02 * fmean(abs(high) for _, _, high in late))
        below = sum(value < low - room for value, low, _ in late) / len(late)
        above = sum(value > high + room for value, _, high in late) / len(late)
        if max(below, above) > 0.5:
            found.append(_outside(key, "above" if above > below else "below", late))
    return found, f"Held against {len(band['seeds'])} healthy runs of the same recipe."


def _outside(key: str, where: str, points: Sequence[tuple[float, float, float]]) -> Finding:
    value, low, high = (fmean(column) for column in zip(*points, strict=True))
    return Finding(
        f"{NAMES[key]} lies {where} its band",
        f"{value:.4g} in the second half, where healthy runs have {low:.4g} to {high:.4g}",
        "This run has the recipe of the band and does something else: a change in the code, the data or the machine.",
        "compare the versions in its run.json with those of a run that was healthy, then undo the last change.",
    )


def _recipe(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a run but for its seed."""
    whole = manifest.get("parameters", {}) | {"steps of the schedule": manifest.get("schedule_total")}
    return _without_seed(json.loads(json.dumps(whole)))


def _without_seed(value: Any) -> Any:
    """The same without entries named seed, and without the seed that a text speaks of."""
    if isinstance(value, dict):
        return {key: _without_seed(one) for key, one in value.items() if key != "seed"}
    return re.sub(r", seed \d+", "", value) if isinstance(value, str) else value


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in one | other if one.get(key) != other.get(key))
