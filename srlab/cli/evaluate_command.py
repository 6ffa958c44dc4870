"""``srlab evaluate``: score a folder of SR images, a run or an interpolation against ground truth."""

import argparse
import math
import sys
from pathlib import Path

import pandas as pd

from srlab.cli.upscalers import add_choice, pick_upscaler
from srlab.data.datasets import load_images
from srlab.errors import SrlabError
from srlab.evaluation.folders import evaluate_folders
from srlab.evaluation.metrics import PROTOCOLS
from srlab.evaluation.scoring import evaluate, save_table
from srlab.files import refuse_existing

SMALLEST = "SSIM needs 11 pixels per side, MS-SSIM 161 and the patch distance 176."


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--hr", required=True, metavar="DIR", help="folder with ground-truth images")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--sr", metavar="DIR", help="folder with SR images, matched by name (baby_x4.png to baby.png)")
    add_choice(what)
    parser.add_argument("--device", default="auto", help="device for --run: auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--scale", type=int, help="HR pixels per LR pixel (default: the network's, or 4)")
    protocols = "paper: Y, crop 4; basicsr: like paper, with gray files read as RGB; face: RGB, crop 0; study: "
    protocols += "RGB, crop 0, not rounded (default: paper)"
    parser.add_argument("--protocol", default="paper", choices=PROTOCOLS, help=protocols)
    parser.add_argument(
        "--metrics", nargs="+", default=["psnr", "ssim"], metavar="NAME", help="metrics (default: psnr ssim)"
    )
    weights = "AlexNet weights for lpips: auto (no download), imagenet, or a path (default: auto)"
    parser.add_argument("--weights", default="auto", help=weights)
    parser.add_argument("--csv", metavar="FILE", help="also write the table to a CSV file")
    parser.add_argument("--force", action="store_true", help="overwrite the --csv file")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Score the images, print the table, optionally save it, and return the exit code."""
    if options.csv:
        refuse_existing(Path(options.csv), options.force)  # fail before the long computation
    how = {"protocol": PROTOCOLS[options.protocol], "metrics": options.metrics, "weights": options.weights}
    notes = []
    if options.sr:
        scale = 4 if options.scale is None else options.scale
        table, notes = evaluate_folders(options.sr, options.hr, scale, **how)
    else:
        upscaler, scale = pick_upscaler(options.run, options.method, options.scale, options.device)
        if options.scale not in (None, scale):
            raise SrlabError(
                f"{options.run} upscales by {scale}, but --scale is {options.scale}. Pass --scale {scale}."
            )
        damaged: list[str] = []
        table = evaluate(upscaler, load_images(options.hr, scale, damaged), scale, **how)
        notes = [f"not scored: {reason}" for reason in damaged]
    for note in notes:
        print(note, file=sys.stderr)
    if options.csv:
        save_table(table, options.csv, options.force)
    print(_text(table))
    print(f"{len(table)} image{'' if len(table) == 1 else 's'}, protocol {options.protocol}; PSNR in dB")
    if empty := [name for name in table.columns if table[name].isna().any()]:
        print(f"-: the image is too small for {', '.join(empty)}. {SMALLEST}")
    if count := int(table.isin([math.inf]).any(axis=1).sum()):
        print(f"{count} of them without any error, so a mean is infinite. Leave these out to see the mean of the rest.")
    return int(any(note.startswith("not scored") for note in notes))


def _text(table: pd.DataFrame) -> str:
    """Return the table as aligned text, with a last row of means."""
    means = table.mean(numeric_only=True).to_frame().T
    whole = pd.concat([table, means.assign(image="mean")], ignore_index=True)[["image", *means.columns]]
    digits = {name: f"{{:.{2 if name == 'psnr' else 4}f}}".format for name in means.columns}
    names = whole["image"].str.ljust(whole["image"].str.len().max())
    lines = whole.assign(image=names).to_string(index=False, na_rep="-", formatters=digits).splitlines()
    return "\n".join([*lines[:-1], "-" * len(lines[0]), lines[-1]])
