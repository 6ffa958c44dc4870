"""``srlab upscale``: upscale images and folders of images with a network or an interpolation."""

import argparse
import sys

from srlab.cli.commands import DEFAULT
from srlab.cli.pick_upscaler import pick_upscaler
from srlab.errors import SrlabError
from srlab.models.flow import FlowNet
from srlab.tiling import Upscaler, precision_of
from srlab.upscale_files import upscale_files


def run(options: argparse.Namespace) -> int:
    """Upscale the images, print the output files, and return the exit code."""
    if not options.run and not options.method:
        print(f"Using the bundled network {DEFAULT}. Choose another one with --run.", file=sys.stderr)
    upscaler, scale = pick_upscaler(options.run or DEFAULT, options.method, options.scale, options.device)
    if options.seed is not None:
        _set_seed(upscaler, options)
    precision = precision_of(upscaler, options.precision)
    settings = {"tile": options.tile, "overlap": options.overlap, "precision": precision}
    upscale_files(options.sources, options.out, upscaler, scale, **settings)
    return 0


def _set_seed(upscaler: Upscaler, options: argparse.Namespace) -> None:
    """Choose an answer of a network that draws noise."""
    if not isinstance(upscaler, FlowNet):
        name = options.method or options.run or DEFAULT
        raise SrlabError(f"{name} has only one answer. --seed is for flows, such as one_step or 07_one_step/default.")
    upscaler.seed = options.seed
