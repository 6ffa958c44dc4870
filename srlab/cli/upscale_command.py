"""``srlab upscale``: upscale images or folders of images with a network or an interpolation."""

import argparse
import math
import sys
from collections import Counter
from pathlib import Path

from srlab.cli.upscalers import add_choice, pick_upscaler
from srlab.errors import SrlabError
from srlab.photo_files import Summary, upscale_file, upscale_files, upscale_folder
from srlab.tiling import overlap_of, precision_of

DEFAULT = "msrresnet"


def add_upscale(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="IN [IN ...] OUT: images or folders, then the result, a file (.png, .tif, .jpg, .webp) or a folder for "
        "PNGs; without OUT, the result of photo.jpg is photo_x4.png next to it",
    )
    add_choice(parser.add_mutually_exclusive_group(), DEFAULT)
    parser.add_argument(
        "--scale",
        type=float,
        help="size of the result, up to the network's scale (default: the network's; 4 for a method)",
    )
    parser.add_argument("--tile", type=int, metavar="N", help="tile size in pixels (default: fits in 2 GB)")
    overlap = "overlap of the tiles in pixels (default: what the network sees around a pixel, at most 80)"
    parser.add_argument("--overlap", type=int, metavar="N", help=overlap)
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
    *sources, target = [Path(path) for path in options.paths]
    if not sources or (len(sources) > 1 and target.is_file()):  # only images, no result
        sources, target = [*sources, target], None
    if not options.run and not options.method:
        print(f"Using the bundled network {DEFAULT}. Choose another one with --run.", file=sys.stderr)
    whole = None if options.scale is None else math.ceil(options.scale)
    upscaler, own = pick_upscaler(options.run or DEFAULT, options.method, whole, options.device)
    scale = own if options.scale is None else options.scale
    if scale > own:
        raise SrlabError(f"{options.run or DEFAULT} upscales by {own}, but --scale is {scale:g}. Pass at most {own}.")
    overlap = overlap_of(upscaler) if options.overlap is None else options.overlap
    if options.tile and not options.method and options.tile < overlap:
        raise SrlabError(
            f"--tile {options.tile} is less than the overlap of the tiles, {overlap} pixels, so most "
            "of the work would be repeated. Pass a larger one."
        )
    settings = {"force": options.force, "tile": options.tile, "overlap": options.overlap}
    settings |= {"precision": precision_of(upscaler, options.precision)}
    if len(sources) == 1 and target is not None and not sources[0].is_dir() and not _is_folder(target):
        print(upscale_file(sources[0], target, upscaler, scale, **settings))
        return 0
    done = Summary()
    folders, files = [path for path in sources if path.is_dir()], [path for path in sources if not path.is_dir()]
    for folder in folders:
        into = folder.with_name(f"{folder.resolve().name}_x{scale:g}") if target is None else target
        into = into / folder.resolve().name if len(sources) > 1 and target is not None else into
        done.add(upscale_folder(folder, into, upscaler, scale, **settings))
    done.add(upscale_files(_results(files, target, scale), upscaler, scale, **settings))
    for path in done.written:
        print(path)
    for path, reason in done.failed:
        print(f"failed {path}: {reason}", file=sys.stderr)
    present = f", {len(done.present)} already exist (--force overwrites them)" if done.present else ""
    print(f"{len(done.written)} written, {len(done.failed)} failed{present}.", file=sys.stderr)
    return 1 if done.failed else 0


def _is_folder(path: Path) -> bool:
    """Return whether a target is or will be a folder: it exists as one, or its name has no extension."""
    return path.is_dir() or not (path.exists() or path.suffix)


def _results(files: list[Path], target: Path | None, scale: float) -> dict[Path, Path]:
    """Return the target of each file: next to it, or in the folder `target`."""
    if target is None:
        return {file: file.with_name(f"{file.stem}_x{scale:g}.png") for file in files}
    if not _is_folder(target):
        raise SrlabError(
            f"{target} is not a folder, but there are several images. Name an existing or new folder last."
        )
    results = {file: target / f"{file.stem}.png" for file in files}
    counts = Counter(results.values())
    if twice := [path.name for path, count in counts.items() if count > 1]:
        raise SrlabError(f"Several images would become {twice[0]}. Upscale them into different folders.")
    return results
