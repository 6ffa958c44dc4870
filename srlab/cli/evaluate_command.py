"""``srlab evaluate``: score a folder of SR images, a run, or an interpolation against HR images."""

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError
from srlab.models import weights

if TYPE_CHECKING:
    import pandas as pd

    from srlab.inference.tiling import Upscaler


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``; imports nothing heavy."""
    parser = commands.add_parser("evaluate", help="score a folder of SR images, or a run, against HR images")
    parser.add_argument("--hr", required=True, metavar="DIR", help="folder of the original images")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--sr", metavar="DIR", help="folder of SR images, paired by name (baby_x4.png goes with baby.png)"
    )
    what.add_argument(
        "--run",
        metavar="PATH",
        help="a run folder, a weights file (.safetensors; .pth of RRDBNet), or what comes with srlab: msrresnet, srgan",
    )
    what.add_argument(
        "--method", choices=["nearest", "bilinear", "bicubic", "lanczos"], help="an interpolation, as a baseline"
    )
    parser.add_argument("--lr", metavar="DIR", help="LR images for --run and --method; default: made from HR")
    parser.add_argument("--device", default="auto", help="of --run: auto, cpu or cuda (default: auto)")
    parser.add_argument("--scale", type=int, default=4, help="HR pixels per LR pixel (default: 4)")
    parser.add_argument(
        "--protocol", default="paper", help="paper (Y, crop 4), face (RGB, crop 0) or study (RGB, crop 0, not rounded)"
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
    parser.add_argument("--csv", metavar="FILE", help="write the table as well (.csv or .json)")
    parser.add_argument("--force", action="store_true", help="replace the file of --csv")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Score, print the table, and write it where asked; returns the exit code."""
    from srlab.evaluation.metrics import PROTOCOLS
    from srlab.evaluation.tables import check_path, records, save_table

    if options.protocol not in PROTOCOLS:
        raise SrlabError(f"There is no protocol '{options.protocol}'; choose one of {', '.join(PROTOCOLS)}.")
    if options.csv:
        check_path(options.csv, options.force)  # before the work, not after it
    with redirect_stdout(sys.stderr):  # what is said on the way must not get into the JSON
        table, notes = _table(options)
    for note in notes:
        print(note, file=sys.stderr)
    means = table.mean(numeric_only=True).to_frame().T
    if options.csv:
        save_table(table, options.csv, options.force)
    if options.json:
        given = {name: getattr(options, name) for name in ("sr", "run", "method", "hr", "lr")}
        report = {"scored": {name: value for name, value in given.items() if value is not None}}
        report |= {"protocol": {"name": options.protocol} | asdict(PROTOCOLS[options.protocol])}
        report |= {"scale": options.scale}
        report |= {"images": records(table), "mean": records(means)[0], "notes": notes}
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        print(_text(table, means, options.protocol))
    return 0


def _table(options: argparse.Namespace) -> "tuple[pd.DataFrame, list[str]]":
    from srlab.evaluation.metrics import PROTOCOLS
    from srlab.evaluation.pairs import image_set, score_folders
    from srlab.evaluation.scoring import score

    protocol = PROTOCOLS[options.protocol]
    if options.sr:
        if options.lr:
            raise SrlabError("--lr goes with --run or --method; with --sr the images are there already.")
        return score_folders(options.sr, options.hr, options.scale, protocol, options.metrics, options.weights)
    upscaler = _upscaler(options)
    images, notes = image_set(options.hr, options.lr, options.scale)
    scores = {"protocol": protocol, "metrics": options.metrics, "weights": options.weights}
    return score(upscaler, images, options.scale, **scores), notes


def _upscaler(options: argparse.Namespace) -> "Upscaler":
    from srlab.base.devices import pick_device
    from srlab.data.resampling import upsample

    if options.method:
        return lambda lr: upsample(lr, options.scale, options.method)
    network = weights.read_generator(Path(options.run)).to(pick_device(options.device))
    scale = getattr(network, "config", {}).get("scale", options.scale)
    if scale != options.scale:
        raise SrlabError(f"{options.run} enlarges x{scale}, but --scale is {options.scale}; give --scale {scale}.")
    return network


def _text(table: "pd.DataFrame", means: "pd.DataFrame", protocol: str) -> str:
    import pandas as pd

    whole = pd.concat([table, means.assign(image="mean", file="")[[c for c in table if c != "file"]]])
    rows = [["image", *means.columns]]
    for _, row in whole.iterrows():
        values = ["-" if pd.isna(row[c]) else f"{row[c]:.{2 if c == 'psnr' else 4}f}" for c in means.columns]
        rows.append([str(row["image"]), *values])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    lines.insert(-1, "-" * len(lines[0]))
    return "\n".join([*lines, f"{len(table)} image{'' if len(table) == 1 else 's'}, protocol {protocol}; PSNR in dB"])
