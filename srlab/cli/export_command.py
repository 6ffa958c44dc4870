"""``srlab export``: write a network as ONNX, or as weights that other programs load."""

import argparse

from srlab.exporting import export
from srlab.text import printable


def run(options: argparse.Namespace) -> int:
    """Export, print the file, and return the exit code."""
    print(printable(export(options.run, options.file, force=options.force)))
    return 0
