"""Write the report of the study from the tables of ``studies/score.py``.

The Snakefile calls ``python -m studies.content_loss.report SCORES RESULTS.md ABOUT``. ABOUT is JSON: name of the
preset, command line options, and the resulting settings. Figures go into ``figures/`` next to the report.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from srlab.errors import SrlabError
from studies.report import Page, broke_down, made_by, random_features
from studies.score import read_scores

from . import figures, published, tables
from .configurations import VARIANTS

DIFFERENCES = {
    "described": "the features get normalized input and use the layers named, patches are rotated without black "
    "corners, and G learns from D.",
    "coded": "one batch norm is shared by both convolutions of a block, the discriminator lacks one layer, the input "
    "of the features is not normalized, VGG19 has batch norm and ends at conv4_4, ResNets lack their first stage and "
    "have all blocks after it (so Res34_3 and Res34_5 are the same), patches have black corners, and D's output is "
    "taken before its update and detached, so that no gradient of D reaches G.",
}
SHOWN = ("gradient_ratio", "energy_error", "color_shift", "saturation_ratio", "psnr_rgb", "ms_ssim_rgb")


def main(scores: str, output: str, about: str) -> None:
    """Write the report and its figures."""
    found, lost = read_scores(Path(scores))
    report(tables.means_of(found), lost, Path(scores), json.loads(about)).write(Path(output))


def report(means: pd.DataFrame, lost: pd.DataFrame, scores: Path, about: dict[str, Any]) -> Page:
    """Return the whole page.

    `means` is from `tables.means_of`, `lost` (the rows without scores) from `studies.score.read_scores`, and `scores`
    has the crops of the rows. `about` has ``preset``, ``given`` and ``settings``.
    """
    sets, page = list(dict.fromkeys(means["set"])), Page()
    main_set = next((name for name in published.BICUBIC if name in sets), sets[0])
    here, rows = means[means["set"] == main_set], means[means["row"] != "bicubic"].drop_duplicates("row")
    page.add(
        "# The SRGAN content-loss study, rerun",
        "The SRGAN content-loss study trained SRResNet and SRGAN with MSE, with features of VGG19, ResNet18 or "
        "ResNet34, and with hybrids.",
        f"{made_by('studies/run.py content_loss', about, rows)}.",
        random_features(rows),
        f"This is the preset '{about['preset']}'. If it has smaller networks and fewer steps than the study, compare "
        "the losses with each other, not our numbers with the published ones.",
        *broke_down(lost),
        "## The study's tables and ours",
        published.READING,
        "\n".join(f"- As {v}: {DIFFERENCES[v]}" for v in VARIANTS if (means["variant"] == v).any()),
    )
    for method, epochs in tables.METHODS:
        if len(tables.select(means, method=method, epochs=epochs)):
            page.add(f"### {method}, {epochs} epochs ({about['settings']['iters'][str(epochs)]} steps here)")
            page.add(*(tables.beside_published(means, method, epochs, name) for name in sets))
    page.add("## Sharpness and color", f"On {main_set}; HR has gradient ratio 1, energy error 0, saturation 1.")
    for metric in (
        "gradient_ratio",
        "energy_error",
        "psnr",
        "ssim",
        "checkerboard",
        "color_shift",
        "saturation_ratio",
    ):
        page.add(f"### {tables.TITLES[metric]}", tables.over_losses(here, metric))
    figures.colors(page, here)
    page.add("## Crops")
    figures.crops(page, here, scores)
    page.add("## The study's claims", f"Each line is computed from the rows above, on {main_set}.")
    for claim in tables.CLAIMS:
        page.add(f"**{claim}**", tables.claimed(here, claim))
    more_rows(page, here, scores)
    page.add("## Training time", tables.costs(means))
    return page


def more_rows(page: Page, here: pd.DataFrame, scores: Path) -> None:
    """Add the rows with early VGG layers, and those with more residual blocks (the study's outlook)."""
    mse, gan = ("SRResNet", 250, "MSE"), ("SRGAN", 100, "VGG19_5_4")
    early = here[here["variant"] == "shallow"]["loss"].unique()
    parts = {
        "Pixels, early VGG layers, and random features of the same shape": {("described", *mse): "pixels (MSE)"}
        | {("shallow", "SRResNet", 250, loss): loss for loss in early},
        "Outlook: more residual blocks": {
            (v, *pair): f"{v}, {pair[0]} {pair[2]}" for pair in (mse, gan) for v in ("described", "deeper")
        },
    }
    for (heading, lines), variant in zip(parts.items(), ("shallow", "deeper"), strict=True):
        if (here["variant"] == variant).any():
            page.add(f"## {heading}", tables.listed(here, SHOWN, lines))
            figures.other_crops(page, here, scores, variant)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
