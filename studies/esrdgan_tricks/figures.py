"""The figures of the report: a dot for every paired difference, and one crop for all rows."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import srlab
from srlab_course.figures import plots
from studies.report import Page
from studies.score import PLAIN, crop_file
from studies.shown import crop, photo

from .differences import BASE, BEYOND, METRICS, NAMES, finding, other_lr, paired, tricks

COLORS = {True: "#009E73", False: "#D55E00", None: "#0072B2"}


def dots(page: Page, scores: pd.DataFrame, group: pd.DataFrame, title: str) -> None:
    """Draw the difference of each row from the base, a dot per seed; only claims are colored."""
    names = tricks(scores)
    figure, axes = plt.subplots(2, 3, figsize=(13, 2.2 + 0.5 * len(names)), sharey=True, layout="constrained")
    for axis, metric in zip(axes.flat, METRICS, strict=True):
        for place, name in enumerate(names):
            values, found = paired(group, name, metric), finding(group, name, metric)
            color = COLORS[found.good] if found.kind == BEYOND else "#999999"
            axis.plot(values, [place] * len(values), "o", color=color, markersize=5, alpha=0.8)
            axis.plot(found.mean, place, "|", color=color, markersize=14, markeredgewidth=2)
        axis.axvline(0, color="black", linewidth=1)
        sizes = sorted(abs(value) for name in names for value in paired(group, name, metric) if value)
        if sizes and sizes[-1] > 10 * sizes[len(sizes) // 2]:  # a few distant rows would flatten the others
            axis.set_xscale("symlog", linthresh=2 * sizes[len(sizes) // 2])
        axis.set(title=NAMES[metric], yticks=range(len(names)), yticklabels=names)
        axis.grid(alpha=0.3)
    axes[0, 0].invert_yaxis()
    figure.suptitle(f"Differences from the base of the same seed, {title}")
    caption = (
        "Each dot is a seed, each bar the mean. Gray: no claim. Beyond the spread over seeds: green is better, orange "
        "is worse, and blue is a gradient ratio that is not consistently closer to HR or further from it. If a few "
        "rows are far away, the axis is logarithmic except in the middle."
    )
    page.figure("differences.png", figure, caption)


def crops(page: Page, scores: pd.DataFrame, folder: Path) -> None:
    """Draw the same crop for all rows of the first seed, on LR made by bicubic."""
    pictures = {"HR": crop(photo()), "bicubic": _crop(folder, "bicubic", PLAIN)}
    for name in ("PSNR stage", BASE, *tricks(scores)):
        rows = scores[scores["trick"] == name].sort_values("seed")
        if not rows.empty:
            pictures[name] = _crop(folder, rows["row"].iloc[0], PLAIN)
    caption = "The same crop for all rows, first seed, on bicubic LR. See the tables for the features."
    page.figure("crops.png", plots.draw_images(pictures), caption)


def other_crops(page: Page, scores: pd.DataFrame, folder: Path) -> None:
    """For each kind of LR that a row was trained on, draw bicubic, the base and that row on it."""
    pictures = {}
    for name in tricks(scores):
        if kind := other_lr(scores, name):
            for one in ("bicubic", BASE, name):
                row = scores[scores["trick"] == one].sort_values("seed")["row"].iloc[0]
                pictures[f"{one} ({kind} LR)"] = _crop(folder, row, kind)
    caption = "On LR made as in the row's training: bicubic, the base (not trained on such LR), and the row."
    page.figure("other-lr.png", plots.draw_images(pictures, columns=3), caption)


def _crop(folder: Path, row: str, kind: str) -> plots.torch.Tensor:
    return srlab.read_image(crop_file(folder / f"{row}.csv", kind))
