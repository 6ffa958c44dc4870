"""``srlab export``: write a network as ONNX, or as weights that other programs load."""

import argparse

from srlab.cli.upscalers import RUN
from srlab.exporting import export


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("run", metavar="RUN", help=RUN)
    parser.add_argument("file", metavar="FILE", help="file to write: .onnx, or .safetensors for an RRDBNet")
    parser.add_argument("--half", action="store_true", help="store float16 instead of float32")
    smallest = "smallest side of an image for which an ONNX file must be right (default: 1)"
    parser.add_argument("--smallest", type=int, default=1, metavar="N", help=smallest)
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Export, print the file, and return the exit code."""
    print(export(options.run, options.file, half=options.half, smallest=options.smallest, force=options.force))
    return 0
