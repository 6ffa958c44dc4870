"""Writes the report of the study from the tables that ``score.py`` left.

The Snakefile calls it: ``python -m studies.content_loss.report SCORES RESULTS.md ABOUT`` (JSON: preset, what was given
on the command line, and the steps that stand for the study's epochs). Figures go into ``figures/`` beside the report.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from srlab.base.errors import SrlabError
from studies.report import Page, made_by

from . import figures, published, tables
from .claims import claims, shallow

# Of each variant: what it is, its networks (a preset may take others), and what else makes it.
HOW = {"described": "as its text describes them", "coded": "as its code did them"}
NETWORKS = {
    "described": {"network": "SRResNet", "discriminator": "SRGANDiscriminator"},
    "coded": {"network": "CodedSRResNet", "discriminator": "CodedDiscriminator"},
}
DIFFERENCES = {
    "described": "normalised input of the features, the layers named, patches rotated without black corners, and G "
    "learns from D.",
    "coded": "one batch norm shared by both convolutions of a block, a discriminator without one layer, the input of "
    "the features not normalised, VGG19 with batch norm cut at conv4_4, ResNets without their first stage and with all "
    "blocks after it, black corners, and the answer of D taken before its update and detached, so that no gradient of "
    "D reaches G.",
}
SHOWN = ("gradient_ratio", "energy_error", "colour_shift", "saturation_ratio", "psnr_rgb", "ms_ssim_rgb")


def main(scores: str, output: str, about: str) -> None:
    """Write the report and its figures."""
    report(tables.read_scores(Path(scores)), Path(scores), json.loads(about)).write(Path(output))


def report(means: pd.DataFrame, scores: Path, about: dict[str, Any]) -> Page:
    """The whole page.

    Parameters
    ----------
    means
        From `tables.read_scores`.
    scores
        Where the crops of the rows are.
    about
        ``preset``, ``given`` and ``iters``.
    """
    sets, page = list(dict.fromkeys(means["set"])), Page()
    main_set = next((name for name in published.BICUBIC if name in sets), sets[0])
    here = means[means["set"] == main_set]
    page.add(*opening(means, about), "## The study's tables and ours", reading(), variants(means, main_set))
    for method, epochs in tables.METHODS:
        if not tables.select(means, method=method, epochs=epochs).empty:
            page.add(f"### {method}, {epochs} epochs ({about['iters'][str(epochs)]} steps here)")
            page.add(*(tables.beside_published(means, method, epochs, name) for name in sets))
    page.add("## What PSNR does not see", f"On {main_set}; HR has gradient ratio 1, energy error 0.")
    for metric in ("gradient_ratio", "energy_error", "psnr_y", "ssim_y", "checkerboard"):
        if metric in means:
            page.add(f"### {tables.TITLES[metric]}", tables.over_losses(means, metric, main_set))
    page.add("## Colours", colour_note(here))
    for metric in ("colour_shift", "saturation_ratio"):
        page.add(f"### {tables.TITLES[metric]}", tables.over_losses(means, metric, main_set))
    figures.colours(page, here)
    page.add("## Pictures")
    figures.crops(page, here, scores)
    page.add("## The study's claims", f"Each sentence is computed from the rows above, on {main_set}.")
    for claim, sentences in claims(means, main_set):
        page.add(f"**{claim}**", "\n".join(f"- {sentence}" for sentence in sentences))
    shallow_section(page, means, main_set, scores)
    deeper_section(page, here, scores)
    page.add("## Which weights", "The study kept three generators of each run.", tables.kept_weights(means, main_set))
    page.add("## What it cost", tables.costs(means))
    return page


def opening(means: pd.DataFrame, about: dict[str, Any]) -> list[str]:
    """Title, command, versions, and what the features were."""
    rows = means[means["row"] != "bicubic"].drop_duplicates("row")
    random, real = rows[rows["real"].eq(False)], rows[rows["real"].eq(True)]
    text = [
        "# The SRGAN content-loss study, run again",
        "The SRGAN content-loss study (Kim 2021) trained SRResNet and SRGAN with MSE, with features of VGG19, ResNet18 "
        f"or ResNet34, and with hybrids. {_existing(rows)}",
        made_by("studies/run.py content_loss", about, rows) + ".",
        f"**Features: {len(real)} rows looked through trained networks, {len(random)} through random ones, "
        f"{len(rows) - len(real) - len(random)} through none.** Every table says which.",
    ]
    if len(random):
        text.append(
            "Random features have the shape of a network and nothing it has learned, so nothing below about one "
            "feature network against another rests on them."
        )
    if about["preset"] != "paper":
        text.append(
            f"This is the preset '{about['preset']}': the networks ({', '.join(sorted(set(rows['network'])))}) and the "
            "number of steps are far below the study's, so its numbers and ours cannot be equal; what can be "
            "compared is one loss with another."
        )
    return text


def _existing(rows: pd.DataFrame) -> str:
    """In which variants the rows are there; a preset may leave some out."""
    found = [rows[rows["variant"] == variant] for variant in HOW]
    described, coded = (set(zip(one["method"], one["epochs"], one["loss"], strict=True)) for one in found)
    if described and described == coded:
        return "Here each row exists as its text describes it and as its code did it."
    counted = (f"{len(one)} rows {how}" for one, how in zip(found, HOW.values(), strict=True))
    return f"Here are {' and '.join(counted)}."


def variants(means: pd.DataFrame, name: str) -> str:
    """What makes the variants that are there, and the check that two coded rows are one configuration."""
    text = " ".join(
        f"As {variant}{networks_of(means, variant)}: {DIFFERENCES[variant]}"
        for variant in HOW
        if (means["variant"] == variant).any()
    )
    pairs = []
    for method, epochs in tables.METHODS:
        found = tables.select(means, variant="coded", method=method, epochs=epochs, set=name)
        pairs += [
            abs(a - b)
            for a, b in zip(
                *(found[found["loss"] == loss]["psnr_rgb"] for loss in ("Res34_3", "Res34_5")), strict=False
            )
        ]
    if pairs:
        text += (
            f" As coded, Res34_3 and Res34_5 are the same network; in {len(pairs)} pairs of runs, their PSNR differs "
            f"by at most {max(pairs):.3f} dB."
        )
    return text


def networks_of(means: pd.DataFrame, variant: str) -> str:
    """Which networks the rows of a variant have, and where a preset took others, instead of which."""
    rows = means[means["variant"] == variant]
    used = {}  # name of the network meant -> those that the rows have
    for column, name in NETWORKS[variant].items():
        if found := sorted(rows[column].dropna().unique()):  # none: no SRGAN, or a table from before the column
            used[name] = " or ".join(found)
    others = {name: found for name, found in used.items() if found != name}
    if others:
        return f" (here with {' and '.join(others.values())} instead of {' and '.join(others)})"
    return f", with {' and '.join(used)}" if used else ""


def reading() -> str:
    """How to read the published numbers, and ours beside them."""
    return (
        "Published numbers are on RGB without a crop. "
        + " ".join(published.gap_to_bicubic(name) for name in published.BICUBIC)
        + ' So the study\'s networks lose to bicubic in PSNR, and its "SSIM" is probably MS-SSIM: compare it with '
        "our third number. The study does not say whether its numbers are of the last or of the best weights; ours "
        "are of the last. One deviation of ours: the weights scored are averages over the training steps (EMA), which "
        "the study did not have. Where there are several seeds, ± is half of the 95 % interval of the mean (Student's "
        "t) and n the number of seeds; without it there was one."
    )


def colour_note(here: pd.DataFrame) -> str:
    """What the two measures mean."""
    grey = here["saturation_ratio"].isna().all()
    return (
        "Colour shift is the distance of the mean chroma from HR's in 8-bit levels (a tint over the whole picture); "
        "saturation is the mean distance of the pixels from grey relative to HR's (below 1 the colours are paler). "
        + ("All images are grey, so there is no saturation." if grey else "Grey photos count in the first one only.")
    )


def shallow_section(page: Page, means: pd.DataFrame, name: str, scores: Path) -> None:
    """The comparison over VGG layers of the small weights file, or how to get it."""
    page.add("## Pixels, early VGG layers, and random features of the same shape")
    here = means[means["set"] == name]
    losses = here[here["variant"] == "shallow"]["loss"].unique()
    if not len(losses):
        page.add(
            "Not run: it needs trained weights of VGG19 up to its third stage and a preset with extra_seeds. Give a "
            "file with `--backbone PATH`."
        )
        return
    lines = {("described", "SRResNet", 250, "MSE"): "pixels (MSE)"}
    lines |= {("shallow", "SRResNet", 250, loss): loss for loss in losses}
    page.add("Content loss alone, the same start, seeds and steps. `raw`: the input is not normalised as in training.")
    page.add(tables.listed(here, SHOWN, lines), "\n".join(f"- {sentence}" for sentence in shallow(means, name)))
    figures.other_crops(page, here, scores, "shallow")


def deeper_section(page: Page, here: pd.DataFrame, scores: Path) -> None:
    """The study's outlook: more residual blocks."""
    if here[here["variant"] == "deeper"].empty:
        return
    pairs = (("SRResNet", 250, "MSE"), ("SRGAN", 100, "VGG19_5_4"))
    lines = {(v, *pair): f"{v}, {pair[0]} {pair[2]}" for pair in pairs for v in ("described", "deeper")}
    page.add("## Outlook: more residual blocks", tables.listed(here, SHOWN, lines))
    figures.other_crops(page, here, scores, "deeper")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SrlabError as error:
        sys.exit(f"Error: {error}")
