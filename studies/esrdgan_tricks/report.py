"""Write the report of the study from the tables of ``studies/score.py``.

The Snakefile calls ``python -m studies.esrdgan_tricks.report SCORES RESULTS.md ABOUT``. ABOUT is JSON: name of the
preset, command line options, and the resulting settings. Figures go into ``figures/`` next to the report.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from srlab.errors import SrlabError
from studies.report import Page, broke_down, features, made_by, markdown, numbers, random_features
from studies.score import PLAIN, read_scores

from . import figures
from .configurations import GAN_STAGE, changes, trick_of
from .differences import BASE, METRICS, NAMES, ONE_SEED, by_seed, finding, groups, other_lr, tricks

HEAD = [*NAMES.values(), "features"]
READING = """A difference is the row minus the base *of the same seed*, so both saw the same patches. It is claimed, in
bold, only if it has the same sign in all seeds and its 95 % interval (Student's t over the paired differences) does not
contain 0. In parentheses: the same sign in all seeds, but within that spread. ± means that the sign differs between
seeds, so nothing can be concluded. Elsewhere, ± is half of the 95 % interval of the mean and n the number of seeds.

PSNR and SSIM (on Y, 4 pixels cropped) measure fidelity: higher is better. The gradient ratio measures sharpness, and HR
has 1. The energy-map error is low if structure is in the same places as in HR; color shift and checkerboard are the
size of a color cast and of a periodic pattern: lower is better. A trick may be good for one metric and bad for another,
so there is no overall verdict. ESRDGAN's list names tricks, not metrics."""


def main(scores: str, output: str, about: str) -> None:
    """Write the report and its figures, if the base has scores."""
    found, lost = read_scores(Path(scores))
    if not found["trick"].eq(BASE).any():
        raise SrlabError(f"No row of the base has scores in {scores}, so there is nothing to compare with.")
    report(found, lost, Path(scores), json.loads(about)).write(Path(output))


def report(scores: pd.DataFrame, lost: pd.DataFrame, folder: Path, about: dict[str, Any]) -> Page:
    """Return the whole page.

    `scores` and `lost` are from `studies.score.read_scores`, and `folder` has the crops of the rows. `about` has
    ``preset``, ``given`` and ``settings``.
    """
    preset, page = about["settings"], Page()
    found = groups(scores, preset["main"].split())
    rows = scores[scores["trick"].isin([BASE, *tricks(scores)])].drop_duplicates("row")
    page.add(
        "# ESRDGAN's tricks, one at a time",
        "ESRDGAN (a student project from 2019 that rebuilt ESRGAN) lists tricks that helped and others that did not. "
        "Here each one is added to the recipe of lab 04, and compared with that recipe.",
        f"{made_by('studies/run.py esrdgan_tricks', about, rows)}, seeds "
        f"{', '.join(map(str, sorted(rows['seed'].unique())))}.",
        random_features(rows),
        f"This is the preset '{about['preset']}' with {preset['parameters']['iters']} steps. ESRDGAN trained a large "
        "network for 100,000 steps. A trick may need that length to help, or to harm.",
        *broke_down(lost),
        "## How to read it",
        READING,
    )
    for number, (title, group) in enumerate(found.items()):
        page.add(f"## {title.capitalize()}", "On bicubic LR. Differences from the base, and what ESRDGAN found:")
        page.add(verdicts(scores, group, preset), chance(scores, group))
        if number == 0:
            figures.dots(page, scores, group, title)
        page.add("Mean over the images, then over the seeds:", absolute(scores, group))
    page.add("## Crops")
    figures.crops(page, scores, folder)
    other_section(page, scores, found, folder)
    page.add("## Training time", costs(scores))
    return page


def verdicts(scores: pd.DataFrame, group: pd.DataFrame, preset: dict[str, Any]) -> str:
    """Return one line per trick: its changes, ESRDGAN's verdict, and the finding for each metric."""
    lines = []
    for name in tricks(scores):
        changed, trick = changes(name, preset), trick_of(name)
        settings = ", ".join(f"`{key}={value!r}`" for key, value in changed.items())
        settings += "" if set(changed) <= GAN_STAGE else "; its PSNR stage differs too"
        settings += f". {trick.caution}" if trick.caution else ""
        cells = (str(finding(group, name, metric)) for metric in METRICS)
        lines.append([name, settings, trick.verdict, *cells, features_of(scores, name)])
    return markdown(["trick", "what changes in lab 04", "ESRDGAN", *HEAD], lines)


def features_of(scores: pd.DataFrame, trick: str) -> str:
    """Return the features of a row's content loss."""
    return features(scores[scores["trick"] == trick])


def chance(scores: pd.DataFrame, group: pd.DataFrame) -> str:
    """Return how many of the claims would occur by chance."""
    found = [finding(group, name, metric) for name in tricks(scores) for metric in METRICS]
    if all(one.kind == ONE_SEED for one in found):
        return "There is one seed, so nothing can be claimed."
    return (
        f"{sum(one.claim for one in found)} of {len(found)} comparisons are beyond the spread. A 95 % interval is "
        f"wrong once in twenty, so about {len(found) / 20:.0f} are expected by chance. Trust a pattern over metrics "
        "and images more than a single cell."
    )


def absolute(scores: pd.DataFrame, group: pd.DataFrame, lr: str = PLAIN, names: list[str] | None = None) -> str:
    """Return the scores themselves, after those of bicubic and the PSNR stage."""
    lines = []
    for name in names or ["bicubic", "PSNR stage", BASE, *tricks(scores)]:
        found = by_seed(group, name, lr)
        if not found.empty:
            lines.append([name, *numbers(found, METRICS), features_of(scores, name)])
    return markdown(["row", *HEAD], lines)


def other_section(page: Page, scores: pd.DataFrame, found: dict[str, pd.DataFrame], folder: Path) -> None:
    """Add the rows that were trained on other LR, scored on it, with the base on the same LR."""
    kinds = {name: kind for name in tricks(scores) if (kind := other_lr(scores, name))}
    if not kinds:
        return
    page.add(
        "## LR made as in training",
        "Above, all rows solve the same task: bicubic LR. A row that was trained on other LR images was trained for "
        "another task. So here it is scored on that task, together with the base, which was not trained for it. Both "
        "answers count.",
    )
    for name, kind in kinds.items():
        page.add(f"### {name}: on {kind} LR")
        for title, group in found.items():
            cells = [str(finding(group, name, metric, kind)) for metric in METRICS]
            page.add(f"On {title}:", absolute(scores, group, kind, ["bicubic", "PSNR stage", BASE, name]))
            page.add(f"Difference from the base: {', '.join(map(' '.join, zip(NAMES.values(), cells, strict=True)))}.")
    figures.other_crops(page, scores, folder)


def costs(scores: pd.DataFrame) -> str:
    """Return steps and training time of the second stage of each row."""
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
