"""``srlab evaluate``: score a folder of SR images, a run, or an interpolation against HR images."""

import argparse
import json
import math
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from srlab.base.errors import SrlabError
from srlab.base.files import refuse_existing
from srlab.base.text import printable
from srlab.course.cli.upscalers import add_choice, pick_upscaler
from srlab.data.datasets import folder
from srlab.evaluation.folders import evaluate_folders
from srlab.evaluation.metrics import PROTOCOLS
from srlab.evaluation.scoring import evaluate, save_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("evaluate", help="score a folder of SR images, or a run, against HR images")
    parser.add_argument("--hr", required=True, metavar="DIR", help="folder of the original images")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--sr", metavar="DIR", help="folder of SR images, paired by name (baby_x4.png goes with baby.png)"
    )
    add_choice(what)
    parser.add_argument("--device", default="auto", help="of --run: auto, cpu or cuda (default: auto)")
    parser.add_argument("--scale", type=int, help="HR pixels per LR pixel (default: the network's; 4 without one)")
    parser.add_argument(
        "--protocol",
        default="paper",
        help="paper (Y, crop 4), basicsr (the same with grey files read as RGB), face (RGB, crop 0) or "
        "study (RGB, crop 0, not rounded)",
    )
    parser.add_argument("--metrics", nargs="+", default=["psnr", "ssim"], metavar="NAME", help="default: psnr ssim")
    parser.add_argument(
        "--weights", default="auto", help="AlexNet for lpips: auto (no download), imagenet, or a path (default: auto)"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print JSON on stdout, all else on stderr; infinity is the text "inf" there, and NaN null',
    )
    parser.add_argument("--csv", metavar="FILE", help="write the table as well")
    parser.add_argument("--force", action="store_true", help="replace the file of --csv")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Score, print the table, and write it where asked; returns the exit code."""
    if options.protocol not in PROTOCOLS:
        raise SrlabError(f"There is no protocol '{options.protocol}'; choose one of {', '.join(PROTOCOLS)}.")
    if options.csv:
        refuse_existing(Path(options.csv), options.force)  # before the work, not after it
    protocol = PROTOCOLS[options.protocol]
    with redirect_stdout(sys.stderr):  # what is said on the way must not get into the JSON
        table, notes, scale = _table(options, protocol)
    for note in notes:
        print(printable(note), file=sys.stderr)
    means = table.mean(numeric_only=True).to_frame().T
    if options.csv:
        save_table(table, options.csv, options.force)
    if options.json:
        given = {name: getattr(options, name) for name in ("sr", "run", "method", "hr")}
        report = {
            "scored": {name: value for name, value in given.items() if value is not None},
            "protocol": {"name": options.protocol} | asdict(protocol),
            "scale": scale,
            "images": _records(table),
            "mean": _records(means)[0],
            "notes": notes,
        }
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        print(_text(table, means))
        print(f"{len(table)} image{'' if len(table) == 1 else 's'}, protocol {options.protocol}; PSNR in dB")
    return 0


def _table(options: argparse.Namespace, protocol: Any) -> tuple[pd.DataFrame, list[str], int]:
    """The table, a note for each file that is not in it, and the scale."""
    how = {"protocol": protocol, "metrics": options.metrics, "weights": options.weights}
    if options.sr:
        scale = 4 if options.scale is None else options.scale
        return *evaluate_folders(options.sr, options.hr, scale, **how), scale
    upscaler, scale = pick_upscaler(options.run, options.method, options.scale, options.device)
    return evaluate(upscaler, folder(options.hr), scale, **how), [], scale


def _text(table: pd.DataFrame, means: pd.DataFrame) -> str:
    """The table with its means under a line, as text in columns."""
    whole = pd.concat([table, means.assign(image="mean")], ignore_index=True)[["image", *means.columns]]
    digits = {name: f"{{:.{2 if name == 'psnr' else 4}f}}".format for name in means.columns}
    names = whole["image"].map(printable).str.ljust(whole["image"].str.len().max())
    lines = whole.assign(image=names).to_string(index=False, na_rep="-", formatters=digits).splitlines()
    return "\n".join([*lines[:-1], "-" * len(lines[0]), lines[-1]])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: NaN as None, infinity as the text ``"inf"``."""
    return table.astype(object).replace({math.inf: "inf", math.nan: None}).to_dict("records")
