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
    parser.add_argument("--out", metavar="OUT", help="the result, if all paths are inputs")
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
    sources, target = _divided(options)
    if not options.run and not options.method:
        print(f"Using the bundled network {DEFAULT}. Choose another one with --run.", file=sys.stderr)
    if options.scale is not None and not 0 < options.scale < math.inf:
        raise SrlabError(f"--scale must be above 0, but is {options.scale:g}.")
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
    results = _results(sources, target, scale)
    folders = [source for source in sources if source.is_dir()]
    for folder in folders:
        done.add(upscale_folder(folder, results.pop(folder), upscaler, scale, **settings))
    done.add(upscale_files(results, upscaler, scale, **settings))
    for path in done.written:
        print(path)
    for path, reason in done.failed:
        print(f"failed {path}: {reason}", file=sys.stderr)
    present = f", {len(done.present)} already exist (--force overwrites them)" if done.present else ""
    print(f"{len(done.written)} written, {len(done.failed)} failed{present}.", file=sys.stderr)
    return 1 if done.failed else 0


def _divided(options: argparse.Namespace) -> tuple[list[Path], Path | None]:
    """Return the sources and the target. An existing file at the end of the paths is never a target."""
    paths = [Path(path) for path in options.paths]
    if options.out:
        return paths, Path(options.out)
    if len(paths) == 2 and all(path.is_file() for path in paths):
        raise SrlabError(
            f"{paths[0]} and {paths[1]} both exist. To upscale both, pass a folder for the results with --out. To "
            f"replace {paths[1]} with the result of {paths[0]}, pass --out {paths[1]} --force."
        )
    return (paths, None) if len(paths) == 1 or paths[-1].is_file() else (paths[:-1], paths[-1])


def _is_folder(path: Path) -> bool:
    """Return whether a target is or will be a folder: it exists as one, or its name has no extension."""
    return path.is_dir() or not (path.exists() or path.suffix)


def _results(sources: list[Path], target: Path | None, scale: float) -> dict[Path, Path]:
    """Return the target of each image and folder: next to it, or in the folder `target`."""
    if target is not None and len(sources) > 1 and not _is_folder(target):
        raise SrlabError(
            f"{target} is not a folder, but there are several images. Name an existing or new folder last."
        )
    results = {}
    for source in sources:
        place = source.resolve()  # . and .. have no name
        name, ending = (place.name, "") if source.is_dir() else (place.stem, ".png")
        if target is None:
            results[source] = (place if source.is_dir() else source).with_name(f"{name}_x{scale:g}{ending}")
        else:
            results[source] = target if source.is_dir() and len(sources) == 1 else target / f"{name}{ending}"
    counts = Counter(results.values())
    if twice := [path.name for path, count in counts.items() if count > 1]:
        raise SrlabError(f"Several results would be called {twice[0]}. Upscale them into different folders.")
    return results
