"""``srlab upscale``: upscale an image or a folder of images with a network or an interpolation."""

import argparse
import sys

from srlab.cli.commands import DEFAULT
from srlab.cli.pick_upscaler import pick_upscaler
from srlab.errors import SrlabError
from srlab.models.flow import FlowNet
from srlab.paths import expand_user
from srlab.tiling import Upscaler, precision_of
from srlab.upscale_files import DEFAULT_ENDING, upscale_file, upscale_folder


def run(options: argparse.Namespace) -> int:
    """Upscale the images, print the output files, and return the exit code."""
    source = expand_user(options.source)
    if not options.run and not options.method:
        print(f"Using the bundled network {DEFAULT}. Choose another one with --run.", file=sys.stderr)
    upscaler, scale = pick_upscaler(options.run or DEFAULT, options.method, options.scale, options.device)
    if options.seed is not None:
        _set_seed(upscaler, options)
    settings = {"force": options.force, "tile": options.tile, "overlap": options.overlap}
    settings |= {"precision": precision_of(upscaler, options.precision)}
    place = source.resolve()  # . and .. have no name
    if source.is_dir():
        target = options.target or place.with_name(f"{place.name}_x{scale}")
        upscale_folder(source, target, upscaler, scale, **settings)
    else:
        target = options.target or source.with_name(f"{place.stem}_x{scale}{DEFAULT_ENDING}")
        print(upscale_file(source, target, upscaler, scale, **settings))
    return 0


def _set_seed(upscaler: Upscaler, options: argparse.Namespace) -> None:
    """Choose an answer of a network that draws noise."""
    if not isinstance(upscaler, FlowNet):
        name = options.method or options.run or DEFAULT
        raise SrlabError(f"{name} has only one answer. --seed is for flows, such as one_step or 07_one_step/default.")
    upscaler.seed = options.seed
