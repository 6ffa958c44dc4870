"""``srlab upscale``: upscale images or folders of images with a network or an interpolation."""

import argparse
import math
import sys
from collections import Counter
from pathlib import Path

from srlab.cli.commands import DEFAULT
from srlab.cli.pick_upscaler import pick_upscaler
from srlab.errors import SrlabError
from srlab.models.flow import FlowNet
from srlab.paths import expand_patterns, expand_user
from srlab.tiling import Upscaler, precision_of
from srlab.upscale_files import DEFAULT_ENDING, results_of_folder, upscale_file, upscale_files


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
    if options.seed is not None:
        _set_seed(upscaler, options)
    settings = {"force": options.force, "tile": options.tile, "overlap": options.overlap}
    settings |= {"precision": precision_of(upscaler, options.precision)}
    if len(sources) == 1 and target is not None and not sources[0].is_dir() and not _is_folder(target):
        print(upscale_file(sources[0], target, upscaler, scale, **settings))
        return 0
    done = upscale_files(_results(sources, target, scale), upscaler, scale, **settings)
    for path in done.written:
        print(path)
    for path, reason in done.failed:
        print(f"failed {path}: {reason}", file=sys.stderr)
    present = f", {len(done.present)} already exist (--force overwrites them)" if done.present else ""
    print(f"{len(done.written)} written, {len(done.failed)} failed{present}.", file=sys.stderr)
    return 1 if done.failed else 0


def _set_seed(upscaler: Upscaler, options: argparse.Namespace) -> None:
    """Choose an answer of a network that draws noise."""
    if not isinstance(upscaler, FlowNet):
        name = options.method or options.run or DEFAULT
        raise SrlabError(f"{name} has only one answer. --seed is for flows, such as one_step or 07_one_step/default.")
    upscaler.seed = options.seed


def _divided(options: argparse.Namespace) -> tuple[list[Path], Path | None]:
    """Return the sources and the target. An existing file at the end of the paths is never a target."""
    paths = expand_patterns(options.paths)
    if options.out:
        return paths, expand_user(options.out)
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
    """Return the target of each image, also of those in folders: next to its source, or in the folder `target`."""
    if target is not None and len(sources) > 1 and not _is_folder(target):
        raise SrlabError(
            f"{target} is not a folder, but there are several images. Name an existing or new folder last."
        )
    results = {}
    for source in sources:
        place = source.resolve()  # . and .. have no name
        if source.is_dir():
            inside = target if target is None or len(sources) == 1 else target / place.name
            results |= results_of_folder(source, inside or place.with_name(f"{place.name}_x{scale:g}"))
        elif target is None:
            results[source] = source.with_name(f"{place.stem}_x{scale:g}{DEFAULT_ENDING}")
        else:
            results[source] = target / f"{place.stem}{DEFAULT_ENDING}"
    counts = Counter(results.values())
    if twice := [path.name for path, count in counts.items() if count > 1]:
        raise SrlabError(f"Several results would be called {twice[0]}. Upscale them into different folders.")
    return results
