"""``srlab upscale``: upscale an image or a folder of images with a network or an interpolation."""

import argparse
import sys
from pathlib import Path

from srlab.cli.upscalers import add_choice, pick_upscaler
from srlab.photo_files import upscale_file, upscale_folder
from srlab.tiling import precision_of

DEFAULT = "msrresnet"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of ``srlab``."""
    parser = commands.add_parser("upscale", help="upscale an image or a folder of images")
    parser.add_argument("source", metavar="IN", help="image file or folder of images")
    parser.add_argument("target", metavar="OUT", help="output file (.png, .tif, .jpg, .webp), or folder for PNGs")
    add_choice(parser.add_mutually_exclusive_group(), DEFAULT)
    parser.add_argument("--scale", type=int, help="scale factor (default: the network's; 4 with --method)")
    parser.add_argument("--tile", type=int, metavar="N", help="tile size in pixels (default: fits in 2 GB)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument(
        "--precision",
        default="auto",
        help="numeric precision: fp32, bf16, fp16, or auto, the fastest (default: auto)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Upscale the images, print the output files, and return the exit code."""
    source, target = Path(options.source), Path(options.target)
    if not options.run and not options.method:
        print(f"Using the bundled network {DEFAULT}. Choose another one with --run.", file=sys.stderr)
    upscaler, scale = pick_upscaler(options.run or DEFAULT, options.method, options.scale, options.device)
    settings = {"force": options.force, "tile": options.tile}
    settings |= {"precision": precision_of(upscaler, options.precision)}
    if not source.is_dir():
        print(upscale_file(source, target, upscaler, scale, **settings))
        return 0
    summary = upscale_folder(source, target, upscaler, scale, **settings)
    for path in summary.written:
        print(path)
    for path, reason in summary.failed:
        print(f"failed {path}: {reason}", file=sys.stderr)
    present = f", {len(summary.present)} already exist (--force overwrites them)" if summary.present else ""
    print(f"{len(summary.written)} written, {len(summary.failed)} failed{present}.", file=sys.stderr)
    return 1 if summary.failed else 0
