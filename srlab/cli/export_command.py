"""``srlab export``: write a network as ONNX, or as weights that other programs load."""

import argparse

from srlab.exporting import export


def run(options: argparse.Namespace) -> int:
    """Export, print the file, and return the exit code."""
    print(export(options.run, options.file, force=options.force))
    return 0
