"""Upscaling images of any size with a network or a function: tile by tile where memory asks for it."""

import math
import sys
from collections.abc import Iterator
from dataclasses import replace

import torch
from tqdm.auto import tqdm

from srlab.base.devices import out_of_memory
from srlab.base.errors import SrlabError
from srlab.inference.overlap import Source, Upscaler, apply, as_source, measure_overlap
from srlab.inference.tiles import SMALLEST_TILE, Tiling, give_back_memory, plan_tiles


def upscale(
    upscaler: Upscaler,
    lr: torch.Tensor,
    scale: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    progress: bool = False,
) -> torch.Tensor:
    """Apply a network or a function to an LR batch, without gradients, in eval mode and on the network's device.

    An image that does not fit into the memory at once is upscaled tile by tile (see `upscale_strips`).

    Parameters
    ----------
    upscaler
        ``upscaler(lr)`` gives SR.
    lr
        ``(N, 3, h, w)`` in [0, 1].
    scale
        SR pixels per LR pixel; found out where it is not given, and checked where it is.
    tile, overlap
        As in `upscale_strips`.
    progress
        Show a bar over the tiles.

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)``, clamped to [0, 1], on the device of `lr`. A network is left in the mode it was in.

    Raises
    ------
    SrlabError
        As in `upscale_strips`.
    """
    sr = None
    for top, strip in upscale_strips(upscaler, lr, scale, tile, overlap, progress):
        height = lr.shape[-2] * (strip.shape[-1] // lr.shape[-1])
        if strip.shape[-2] == height:
            return strip
        if sr is None:
            sr = strip.new_empty(*strip.shape[:2], height, strip.shape[-1])
        sr[..., top : top + strip.shape[-2], :] = strip
    return sr


def upscale_strips(
    upscaler: Upscaler,
    lr: torch.Tensor | Source,
    scale: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    progress: bool = False,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Upscale an image of any size in strips from top to bottom, each of one row of tiles.

    Each tile sees `overlap` LR pixels of its neighbours, and only its core is kept. Memory is bounded by a tile
    and a strip, whatever the height of the image.

    Parameters
    ----------
    upscaler
        A network or a function from LR to SR.
    lr
        ``(N, 3, h, w)`` in [0, 1], on any device, or a `Source` that reads such a thing piece by piece.
    scale
        SR pixels per LR pixel; found out where it is not given, and checked where it is.
    tile
        Side of a tile's core in LR pixels. None: as large as the free memory allows (at most some 1 GiB of
        activations on a CPU); a network's need is measured on a small piece.
    overlap
        LR pixels. With the network's receptive radius or more, tiles give what the whole image gives, up to float
        rounding. None: measured by `srlab.inference.overlap.measure_overlap`.
    progress
        Show a bar over the tiles.

    Yields
    ------
    tuple of int and torch.Tensor
        First SR row of the strip, and the strip ``(N, 3, rows, w * scale)``, clamped to [0, 1], on the device of `lr`.

    Raises
    ------
    SrlabError
        The image or the output has values that are no numbers, the scale is another one, a tile or an overlap is
        out of range, or even small tiles do not fit into the memory.
    """
    source = as_source(lr)
    if tile is not None and tile < 1:
        raise SrlabError(f"A tile must have at least 1 pixel, but tile is {tile}.")
    if overlap is not None and overlap < 0:
        raise SrlabError(f"The overlap of tiles must be at least 0, but is {overlap}.")
    tiling, top = plan_tiles(upscaler, lr, tile, overlap), 0
    with tqdm(total=_count(source, tiling, 0), disable=not progress, unit="tile") as bar:
        while top < source.height:
            failure = strip = None
            try:
                strip = _strip(upscaler, source, top, tiling, scale, bar)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                failure = str(error).split("\n")[0]
            if strip is None:  # outside of the handler, where nothing holds the failed tensors any more
                tiling = _halved(upscaler, source, tiling, overlap, failure)
                bar.total = bar.n + _count(source, tiling, top)
                continue
            factor = strip.shape[-1] // source.width
            yield top * factor, strip
            top += tiling.height


def _strip(upscaler: Upscaler, source: Source, top: int, tiling: Tiling, scale: int | None, bar: tqdm) -> torch.Tensor:
    """One row of tiles, in SR."""
    strip, done, overlap = None, bar.n, tiling.overlap
    whole = tiling.height >= source.height and tiling.width >= source.width
    try:
        bottom = min(top + tiling.height, source.height)
        above, below = max(top - overlap, 0), min(bottom + overlap, source.height)
        for left in range(0, source.width, tiling.width):
            right = min(left + tiling.width, source.width)
            before, after = max(left - overlap, 0), min(right + overlap, source.width)
            lr = source.read(above, before, below - above, after - before)
            if not torch.isfinite(lr).all():
                raise SrlabError("The image has values that are no numbers (NaN or infinite); check how it was made.")
            sr = apply(upscaler, lr)
            if not torch.isfinite(sr).all():
                raise SrlabError(
                    "The network gives values that are no numbers (NaN or infinite) for this image, so its weights "
                    "are broken; take weights from before, such as the best ones of the run."
                )
            factor = _factor(lr, sr, scale)
            if not whole:
                rows = slice((top - above) * factor, (bottom - above) * factor)
                sr = sr[..., rows, (left - before) * factor : (right - before) * factor]
            sr = sr.clamp(0, 1).to(lr)
            if tiling.width >= source.width:
                strip = sr.contiguous()
            else:
                if strip is None:
                    strip = sr.new_empty(*sr.shape[:-1], source.width * factor)
                strip[..., left * factor : right * factor] = sr
            del sr
            if not whole:
                give_back_memory()
            bar.update()
    except BaseException:
        bar.n = done  # the strip begins anew, or not at all
        raise
    return strip


def _factor(lr: torch.Tensor, sr: torch.Tensor, scale: int | None) -> int:
    """SR pixels per LR pixel, as the upscaler made them."""
    (height, width), (rows, columns) = lr.shape[-2:], sr.shape[-2:]
    factor = columns // width
    if factor < 1 or (rows, columns) != (factor * height, factor * width):
        raise SrlabError(
            f"The upscaler made {columns}x{rows} pixels of {width}x{height}, which is no whole number of times larger; "
            "give one that keeps the proportions."
        )
    if scale not in (None, factor):
        raise SrlabError(
            f"A scale of {scale} is asked for, but {width}x{height} pixels became {columns}x{rows}; give the scale "
            "that the network was made for."
        )
    return factor


def scale_of(upscaler: Upscaler, scale: int | None = None) -> int:
    """Scale of a network by its config, else by what it makes of a few grey pixels; `scale` is then checked.

    Raises
    ------
    SrlabError
        The upscaler has another scale, or none.
    """
    config = getattr(upscaler, "config", None)
    known = config.get("scale") if isinstance(config, dict) else None
    if known is None:
        pixels = torch.full((1, 3, 16, 16), 0.5)
        known = _factor(pixels, apply(upscaler, pixels), None)
    if scale not in (None, known):
        raise SrlabError(f"A scale of {scale} is asked for, but the upscaler enlarges x{known}; give {known}, or none.")
    return known


def _halved(upscaler: Upscaler, source: Source, tiling: Tiling, overlap: int | None, failure: str | None) -> Tiling:
    """Tiles of half the side after a lack of memory, or an error when they are small already."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if max(tiling.height, tiling.width) <= SMALLEST_TILE:
        raise SrlabError(
            f"Not even tiles of {tiling.width}x{tiling.height} pixels with an overlap of {tiling.overlap} fit into the "
            f"memory ({failure}); close other programs, or give a smaller overlap."
        )
    single = tiling.height >= source.height and tiling.width >= source.width
    if single:  # no overlap was needed so far
        overlap = measure_overlap(upscaler, source) if overlap is None else overlap
        tiling = replace(tiling, overlap=overlap)
    smaller = replace(tiling, height=math.ceil(tiling.height / 2), width=math.ceil(tiling.width / 2))
    tqdm.write(
        f"The memory is too small for tiles of {tiling.width}x{tiling.height} pixels; going on with "
        f"{smaller.width}x{smaller.height}.",
        file=sys.stderr,
    )
    return smaller


def _count(source: Source, tiling: Tiling, top: int) -> int:
    """Tiles from a row on."""
    return math.ceil((source.height - top) / tiling.height) * math.ceil(source.width / tiling.width)
