"""The figures of the report: one crop for all losses, and color per loss with intervals."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import srlab
from srlab_course.figures import plots
from studies.report import Page, interval
from studies.score import crop_file
from studies.shown import crop, photo

from .configurations import LOSSES, VARIANTS
from .tables import METHODS, select


def crops(page: Page, means: pd.DataFrame, scores: Path) -> None:
    """Draw the same crop for all losses, one figure per variant and method."""
    for variant, (method, epochs) in ((v, m) for v in VARIANTS for m in METHODS):
        pictures = {"HR": crop(photo()), "bicubic": srlab.read_image(crop_file(scores / "bicubic.csv"))}
        for loss in LOSSES:
            rows = select(means, variant=variant, method=method, epochs=epochs, loss=loss)
            if not rows.empty:
                pictures[_label(rows)] = srlab.read_image(crop_file(scores / f"{rows['row'].iloc[0]}.csv"))
        if len(pictures) > 2:
            caption = f"{method} after {epochs} epochs of the study, as {variant}: the same crop for all losses."
            page.figure(f"{variant}-{method.lower()}-{epochs}.png", plots.draw_images(pictures), caption)


def other_crops(page: Page, means: pd.DataFrame, scores: Path, variant: str) -> None:
    """Draw the same crop for the rows of a variant that is not in the study's tables."""
    pictures = {"HR": crop(photo())}
    for row, rows in means[means["variant"] == variant].groupby("row", sort=False):
        if rows["seed"].iloc[0] == means["seed"].min():
            pictures[_label(rows)] = srlab.read_image(crop_file(scores / f"{row}.csv"))
    caption = f"The same crop for all rows of the section '{variant}'."
    page.figure(f"{variant}.png", plots.draw_images(pictures), caption)


def colors(page: Page, means: pd.DataFrame) -> None:
    """Plot color shift and saturation per loss, a bar per variant of SRResNet, with 95 % intervals over seeds."""
    rows = select(means, method="SRResNet")
    rows = rows[rows["variant"].isin(VARIANTS)]
    losses = {loss: rows[rows["loss"] == loss] for loss in LOSSES if (rows["loss"] == loss).any()}
    figure, axes = plt.subplots(1, 2, figsize=(12, 1.2 + 0.45 * len(losses)), sharey=True)
    panels = {"color_shift": "color shift in 8-bit levels", "saturation_ratio": "saturation relative to HR"}
    for axis, (metric, label) in zip(axes, panels.items(), strict=True):
        for place, (variant, color) in enumerate(zip(VARIANTS, plots.CYCLE, strict=False)):
            found = [select(one, variant=variant)[metric].dropna().tolist() for one in losses.values()]
            lines = [line for line, values in enumerate(found) if values]
            middles = [sum(found[line]) / len(found[line]) for line in lines]
            spreads = [interval(found[line]) for line in lines]  # NaN for one seed: no whisker
            heights = [line + 0.4 * place for line in lines]
            axis.barh(heights, middles, 0.38, xerr=spreads, color=color, label=variant, capsize=3)
        axis.set(xlabel=label, yticks=[y + 0.2 for y in range(len(losses))], yticklabels=map(_label, losses.values()))
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].axvline(1, color="#000000", linewidth=1, linestyle="--")
    axes[0].invert_yaxis()
    axes[0].legend()
    note = " All features were random." if not means["real"].eq(True).any() else " See the tables for the features."
    figure.suptitle("Effect of each loss on colors, SRResNet")
    figure.tight_layout()
    caption = f"Color shift and saturation per loss; whiskers are 95 % intervals over seeds.{note}"
    page.figure("colors.png", figure, caption)


def _label(rows: pd.DataFrame) -> str:
    return rows["loss"].iloc[0] + (" (random)" if rows["real"].eq(False).any() else "")
