"""``srlab evaluate``: score folders of SR images, runs and interpolations against ground truth."""

import argparse
import sys

import pandas as pd

from srlab.cli.pick_upscaler import pick_upscaler
from srlab.data.datasets import load_images
from srlab.errors import SrlabError
from srlab.evaluation.catalog import METRICS
from srlab.evaluation.folders import evaluate_folders
from srlab.evaluation.metrics import PROTOCOLS
from srlab.evaluation.scoring import evaluate_all, save_table
from srlab.files import refuse_existing
from srlab.paths import expand_user
from srlab.text import printable


def run(options: argparse.Namespace) -> int:
    """Score the images, print the table, optionally save it, and return the exit code."""
    if options.csv:
        refuse_existing(expand_user(options.csv), options.force)  # fail before the long computation
    how = {"protocol": PROTOCOLS[options.protocol], "metrics": options.metrics, "weights": options.weights}
    if not (options.sr or options.run or options.method):
        raise SrlabError("There is nothing to score. Pass --sr, --run or --method.")
    upscalers, scale = {}, options.scale
    for run in options.run:
        upscalers[run], own = pick_upscaler(run, None, options.scale, options.device)
        if scale not in (None, own):
            raise SrlabError(f"{run} upscales by {own}, but {options.run[0]} by {scale}. Score them separately.")
        scale = own
    for method in options.method:
        upscalers[method], scale = pick_upscaler("", method, scale, options.device)
    scale = 4 if scale is None else scale
    tables, notes = [], []
    if upscalers:
        tables.append(evaluate_all(upscalers, load_images(options.hr, scale), scale, **how).drop(columns="set"))
    for folder in options.sr:
        table, more = evaluate_folders(folder, options.hr, scale, **how, suffix=options.suffix)
        tables.append(table.drop(columns="file").assign(method=folder))
        notes += more
    for note in notes:
        print(printable(note), file=sys.stderr)
    table = pd.concat(tables, ignore_index=True)
    table = table[["image", "method", *table.columns.drop(["image", "method"])]]
    if options.csv:
        save_table(table, options.csv, options.force)
    count = _print(table)
    print(f"{count} image{'' if count == 1 else 's'}, protocol {options.protocol}; PSNR in dB")
    if empty := [name for name in table.columns if table[name].isna().any()]:
        print(f"-: the image is too small for {', '.join(f'{name} ({METRICS[name].smallest} px)' for name in empty)}.")
    return int(any(note.startswith("not scored") for note in notes))


def _print(table: pd.DataFrame) -> int:
    """Print a row per image and their mean, or for several methods a row of means each; return the number of images.

    Methods are compared on the images that all of them have.
    """
    methods = table["method"].nunique()
    if methods == 1:
        print(_text(table.drop(columns="method"), "image"))
        return len(table)
    table = table[table.groupby("image")["method"].transform("nunique") == methods]
    if table.empty:
        raise SrlabError("The methods have no image in common. Pass folders with the names of the HR images.")
    means = table.drop(columns="image").groupby("method", sort=False).mean().reset_index()
    print(_text(means, "method"))
    return table["image"].nunique()


def _text(table: pd.DataFrame, label: str) -> str:
    """Return the table as aligned text, with a last row of means if its rows are images."""
    means = table.mean(numeric_only=True).to_frame().T
    whole = pd.concat([table, means.assign(image="mean")] if label == "image" else [table], ignore_index=True)
    whole = whole[[label, *means.columns]]
    digits = {name: f"{{:.{METRICS[name].digits}f}}".format for name in means.columns}
    names = whole[label].map(printable)
    names = names.str.ljust(names.str.len().max())
    lines = whole.assign(**{label: names}).to_string(index=False, na_rep="-", formatters=digits).splitlines()
    return "\n".join([*lines[:-1], "-" * len(lines[0]), lines[-1]] if label == "image" else lines)
