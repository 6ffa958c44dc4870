"""Writes the report of the study from the tables that ``score.py`` left.

The Snakefile calls it: ``python -m studies.esrdgan_tricks.report SCORES RESULTS.md ABOUT`` (JSON: the name of the
preset, what was given on the command line, and the preset as it is with that). Figures go into ``figures/`` beside it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from srlab.base.errors import SrlabError
from studies.report import Page, digits, interval, made_by, markdown, numbers

from . import figures
from .configurations import changes, trick_of
from .differences import BASE, Finding, by_seed, groups, other_lr, paired, read_lost, read_scores, tricks
from .score import METRICS, PLAIN
from .words import NAMES, cell, chance, features_of, findings, own_stage, sentences

HEAD = [*(NAMES[metric] for metric in METRICS), "features"]


def main(scores: str, output: str, about: str) -> None:
    """Write the report and its figures."""
    found, lost = read_scores(Path(scores)), read_lost(Path(scores))
    report(found, lost, Path(scores), json.loads(about)).write(Path(output))


def report(scores: pd.DataFrame, lost: pd.DataFrame, folder: Path, about: dict[str, Any]) -> Page:
    """The whole page.

    Parameters
    ----------
    scores, lost
        From `differences.read_scores` and `differences.read_lost`.
    folder
        Where the crops of the rows are.
    about
        ``preset``, ``given`` and ``settings``.
    """
    preset, page = about["settings"], Page()
    found = groups(scores, preset["main"].split())
    title, group = next(iter(found.items()))
    page.add(*opening(scores, about), *ran_away(lost), "## How to read it", reading(preset))
    page.add("## What ESRDGAN found, and what we see", f"On {title}, LR made by bicubic.")
    page.add(verdicts(scores, group, preset), chance(every(scores, group)))
    figures.dots(page, scores, group, title)
    page.add("In words:", in_words(scores, group), "## Pictures")
    figures.crops(page, scores, folder)
    other_section(page, scores, found, folder)
    for name, one in found.items():
        page.add(f"## Numbers: {name}", "Mean over the images, then over the seeds; LR made by bicubic.")
        page.add(absolute(scores, one), "Differences from the base of the same seed:", differences(scores, one))
        if name != title:
            page.add("What may be said of them:", verdicts(scores, one, preset), chance(every(scores, one)))
    page.add("## What it cost", costs(scores))
    return page


def opening(scores: pd.DataFrame, about: dict[str, Any]) -> list[str]:
    """Title, command, versions, and what the features were."""
    rows = scores[scores["trick"].isin([BASE, *tricks(scores)])].drop_duplicates("row")
    random = int(rows["real"].eq(False).sum())
    text = [
        "# ESRDGAN's tricks, one at a time",
        "ESRDGAN (a student's project of 2019 that rebuilt ESRGAN) lists tricks that helped and others that did not. "
        "Here each is switched on alone over the recipe of lab 04, and compared with that recipe.",
        f"{made_by('studies/run.py esrdgan_tricks', about, rows)}, seeds "
        f"{', '.join(map(str, sorted(rows['seed'].unique())))}.",
        f"**Features: {len(rows) - random} rows looked through trained networks, {random} through random ones.** Every "
        "row says which.",
    ]
    if random:
        text.append(
            "Random features have the shape of a network and nothing it has learned. So what is said here holds for a "
            "content loss of that kind, and nothing is said of ESRDGAN's own, which had trained features."
        )
    if about["preset"] != "paper":
        networks = " against ".join(rows.loc[rows["trick"] == BASE, ["network", "discriminator"]].iloc[0])
        text.append(
            f"This is the preset '{about['preset']}': {about['settings']['parameters']['iters']} steps of a small "
            f"network ({networks}), where "
            "ESRDGAN had 100,000 of a large one. A trick may need that length to help, or to harm; what "
            "is found here is found for this size."
        )
    return text


def ran_away(lost: pd.DataFrame) -> list[str]:
    """The rows without scores, and why."""
    if lost.empty:
        return []
    lines = lost.sort_values(["trick", "seed"])[["trick", "seed", "lost"]].astype(str).to_numpy().tolist()
    return [
        "## Rows that ran away",
        "The training of these rows broke down, so they have no scores, and what is said of a row below comes from its "
        "other seeds. That it can happen is a result as well.",
        markdown(["row", "seed", "what stopped it"], lines),
    ]


def reading(preset: dict[str, Any]) -> str:
    """How a difference becomes a claim, and what the measures are."""
    seeds = len(preset["seeds"])
    return (
        "A difference is the row minus the base *of the same seed*, so both saw the same patches. It is claimed, in "
        "bold, only if it has the same sign in all seeds and its 95 % interval (Student's t over the paired "
        f"differences, n={seeds}) does not hold 0. In brackets: the same sign in all seeds, but within that "
        "spread. ± stands where the sign changes over the seeds: nothing can be said. Elsewhere, ± is half of the 95 % "
        "interval of the mean and n the number of seeds.\n\n"
        "PSNR and SSIM (on Y, 4 pixels cropped) ask how faithful a picture is: higher is better. The gradient ratio "
        "asks how sharp it is, and HR has 1. The energy-map error asks whether structure is where HR has it, colour "
        "shift and checkerboard how large a tint and a pattern are: lower is better. These are different questions: a "
        "trick may be good for one and bad for another, so there is no verdict over all of them. ESRDGAN's list names "
        "tricks, not measures; what it says is held against each measure by itself."
    )


def verdicts(scores: pd.DataFrame, group: pd.DataFrame, preset: dict[str, Any]) -> str:
    """One line per trick: what it changes, what ESRDGAN found, and what may be said of each metric."""
    lines = [
        [
            *(name, _settings(changes(name, preset)), trick_of(name).verdict),
            *(cell(one) for one in findings(group, name)),
            features_of(scores, name),
        ]
        for name in tricks(scores)
    ]
    return markdown(["trick", "what changes in lab 04", "ESRDGAN", *HEAD], lines)


def _settings(changed: dict[str, Any]) -> str:
    note = "; its PSNR stage differs too" if own_stage(changed) else ""
    return ", ".join(f"`{name}={value!r}`" for name, value in changed.items()) + note


def every(scores: pd.DataFrame, group: pd.DataFrame) -> list[Finding]:
    """All comparisons in a group."""
    return [one for name in tricks(scores) for one in findings(group, name)]


def in_words(scores: pd.DataFrame, group: pd.DataFrame) -> str:
    """A sentence or more per trick."""
    return "\n".join(f"- {sentences(scores, group, name, trick_of(name))}" for name in tricks(scores))


def absolute(scores: pd.DataFrame, group: pd.DataFrame, lr: str = PLAIN, names: list[str] | None = None) -> str:
    """The measures themselves, with bicubic and the PSNR stage in front."""
    lines = []
    for name in names or ["bicubic", "PSNR stage", BASE, *tricks(scores)]:
        found = by_seed(group, name, lr)
        if not found.empty:
            lines.append([name, *numbers(found, METRICS), features_of(scores, name)])
    return markdown(["row", *HEAD], lines)


def differences(scores: pd.DataFrame, group: pd.DataFrame) -> str:
    """Mean and interval of the paired differences."""
    lines = []
    for name in tricks(scores):
        values = {metric: paired(group, name, metric) for metric in METRICS}
        cells = [_difference(found, digits(metric)) for metric, found in values.items()]
        lines.append([name, *cells, features_of(scores, name)])
    return markdown(["row", *HEAD], lines)


def _difference(values: list[float], places: int) -> str:
    mean = f"{sum(values) / len(values):+.{places}f}" if values else "-"
    return f"{mean} ± {interval(values):.{places}f}" if len(values) > 1 else mean


def other_section(page: Page, scores: pd.DataFrame, found: dict[str, pd.DataFrame], folder: Path) -> None:
    """Rows that were trained on other LR, scored on it, beside the base on the same LR."""
    kinds = {name: kind for name in tricks(scores) if (kind := other_lr(scores, name))}
    if not kinds:
        return
    page.add(
        "## LR made as in training",
        "Above, all rows have to solve the task of everybody: LR made by bicubic. A row that was trained on other LR "
        "images was trained for another task, so here it is scored on that one, with the base, which never saw it. "
        "Both answers count: whether a trick 'did not help' depends on which of the two LR images one has.",
    )
    for name, kind in kinds.items():
        page.add(f"### {name}: on {kind} LR")
        for title, group in found.items():
            page.add(f"On {title}:", absolute(scores, group, kind, ["bicubic", "PSNR stage", BASE, name]))
            page.add(sentences(scores, group, name, trick_of(name), kind))
    figures.other_crops(page, scores, folder)


def costs(scores: pd.DataFrame) -> str:
    """Steps and training time of the second stage of each row."""
    lines = []
    for name in (BASE, *tricks(scores)):
        rows = scores[scores["trick"] == name].drop_duplicates("row").sort_values("seed")
        seconds = ", ".join(f"{value:.0f}" for value in rows["wall_time_s"])
        lines.append([name, f"{rows['iters'].iloc[0]:.0f}", f"{seconds} s", features_of(scores, name)])
    return markdown(["row", "steps of the second stage", "its time, per seed", "features"], lines)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
