"""``srlab evaluate``: score a folder of SR images, a run or an interpolation against ground truth."""

import argparse
import sys

import pandas as pd

from srlab.cli.pick_upscaler import pick_upscaler
from srlab.data.datasets import load_images
from srlab.evaluation.folders import evaluate_folders
from srlab.evaluation.metrics import PROTOCOLS
from srlab.evaluation.scoring import evaluate, save_table
from srlab.files import refuse_existing
from srlab.paths import expand_user

SMALLEST = "SSIM needs 11 pixels per side and the patch distance 176."


def run(options: argparse.Namespace) -> int:
    """Score the images, print the table, optionally save it, and return the exit code."""
    if options.csv:
        refuse_existing(expand_user(options.csv), options.force)  # fail before the long computation
    how = {"protocol": PROTOCOLS[options.protocol], "metrics": options.metrics, "weights": options.weights}
    if options.sr:
        scale = 4 if options.scale is None else options.scale
        table, notes = evaluate_folders(options.sr, options.hr, scale, **how, suffix=options.suffix)
    else:
        upscaler, scale = pick_upscaler(options.run, options.method, options.scale, options.device)
        table, notes = evaluate(upscaler, load_images(options.hr, scale), scale, **how), []
    for note in notes:
        print(note, file=sys.stderr)
    if options.csv:
        save_table(table, options.csv, options.force)
    print(_text(table))
    print(f"{len(table)} image{'' if len(table) == 1 else 's'}, protocol {options.protocol}; PSNR in dB")
    if empty := [name for name in table.columns if table[name].isna().any()]:
        print(f"-: the image is too small for {', '.join(empty)}. {SMALLEST}")
    return int(any(note.startswith("not scored") for note in notes))


def _text(table: pd.DataFrame) -> str:
    """Return the table as aligned text, with a last row of means."""
    means = table.mean(numeric_only=True).to_frame().T
    whole = pd.concat([table, means.assign(image="mean")], ignore_index=True)[["image", *means.columns]]
    digits = {name: f"{{:.{2 if name == 'psnr' else 4}f}}".format for name in means.columns}
    names = whole["image"].str.ljust(whole["image"].str.len().max())
    lines = whole.assign(image=names).to_string(index=False, na_rep="-", formatters=digits).splitlines()
    return "\n".join([*lines[:-1], "-" * len(lines[0]), lines[-1]])
