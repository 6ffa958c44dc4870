"""Upscaling images of any size with a network or a function: tile by tile where the image is large."""

import math
import sys
from collections.abc import Callable, Iterator

import torch
from torch import nn
from tqdm.auto import tqdm

from srlab.base.devices import convolutions, out_of_memory, pick_precision
from srlab.base.errors import SrlabError
from srlab.base.shell import running_shell
from srlab.data.images import check_scale

Upscaler = Callable[[torch.Tensor], torch.Tensor]
Reader = Callable[[int, int, int, int], torch.Tensor]

# Side of a tile in LR pixels. At x4 SRResNet then takes about 1 GiB, and RRDBNet 2.
TILE = 320
# LR pixels that a tile sees of its neighbours where the receptive radius is larger (SRResNet 40, RRDBNet 349). What
# lies farther off changes less than half an 8-bit level in our networks and at most one in the published RealESRGAN,
# where 24 pixels would leave 26 (benchmarks/RESULTS.md).
OVERLAP = 80
SMALLEST_TILE = 16
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def upscale(
    upscaler: Upscaler,
    lr: torch.Tensor,
    scale: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    precision: str = "no",
) -> torch.Tensor:
    """Apply a network or a function to an LR batch, without gradients, in eval mode and on the network's device.

    A large image is upscaled tile by tile (see `upscale_tiles`).

    Parameters
    ----------
    upscaler
        ``upscaler(lr)`` gives SR.
    lr
        ``(N, 3, h, w)`` or ``(3, h, w)`` in [0, 1].
    scale, tile, overlap, precision
        As in `upscale_tiles`.

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)`` or ``(3, H, W)``, clamped to [0, 1], on the device of `lr`. A network is left in the modes it
        was in.

    Raises
    ------
    SrlabError
        As in `upscale_tiles`, or there is no image in the tensor.
    """
    if lr.ndim == 3:
        return upscale(upscaler, lr[None], scale, tile, overlap, precision)[0]
    if lr.ndim != 4 or not lr.numel():
        raise SrlabError(
            f"upscale needs images (N, 3, h, w) or (3, h, w), but got a tensor of shape {tuple(lr.shape)}."
        )

    def read(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        return lr[..., top:bottom, left:right]

    if tile is None:  # a batch takes no more memory than one image
        tile = max(int(tile_of(upscaler, scale) / math.sqrt(len(lr))), SMALLEST_TILE)
    height, width = lr.shape[-2:]
    sr = None
    tiles = upscale_tiles(upscaler, read, (height, width), scale, tile, overlap, precision=precision)
    for top, left, factor, part in tiles:
        if sr is None:
            sr = part.new_empty(*part.shape[:2], height * factor, width * factor)
        sr[..., top : top + part.shape[-2], left : left + part.shape[-1]] = part
    return sr


def upscale_tiles(
    upscaler: Upscaler,
    read: Reader,
    size: tuple[int, int],
    scale: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    progress: bool | str = False,
    precision: str = "no",
) -> Iterator[tuple[int, int, int, torch.Tensor]]:
    """Upscale an image of any size in tiles.

    Each tile sees `overlap` LR pixels of its neighbours, and only its core is kept. Memory is bounded by a tile,
    whatever the size of the image. If a tile does not fit into the memory, its row begins again with smaller ones.

    Parameters
    ----------
    upscaler
        A network or a function from LR to SR.
    read
        ``read(top, bottom, left, right)`` gives that piece of LR, ``(N, 3, bottom - top, right - left)`` in [0, 1].
    size
        Height and width of the image in LR pixels.
    scale
        SR pixels per LR pixel; found out where it is not given, and checked where it is.
    tile
        Longest side of a tile's core in LR pixels. None: `tile_of` the upscaler.
    overlap
        LR pixels. With the network's receptive radius or more, tiles give what the whole image gives, up to float
        rounding. None: `overlap_of` the upscaler, which is less for deep networks.
    progress
        Show a bar over the LR pixels; a text says what it is about.
    precision
        In what a network computes: ``"no"``, exact, ``"bf16"``, ``"fp16"``, or ``"auto"``, see `precision_of`.

    Yields
    ------
    tuple of int, int, int and torch.Tensor
        First row and column of a core in SR, the scale, and the core ``(N, 3, rows, columns)``, clamped to [0, 1], on
        the device of what `read` gives.

    Raises
    ------
    SrlabError
        The image or the output has values that are no numbers, the scale is another one, a
        tile or an overlap is out of range, the precision cannot be had, or even small tiles do not fit into the memory.
    """
    height, width = size
    if scale is not None:
        check_scale(scale)
    tile = tile_of(upscaler, scale) if tile is None else tile
    overlap = overlap_of(upscaler) if overlap is None else overlap
    if tile < 1 or overlap < 0:
        raise SrlabError(f"A tile has at least 1 pixel and an overlap at least 0, but they are {tile} and {overlap}.")
    tile, top, precision = min(tile, max(height, width)), 0, precision_of(upscaler, precision)
    # In a log each state of the bar stays.
    pause = 0.1 if sys.stderr.isatty() or hasattr(running_shell(), "kernel") else 30
    shown = {"desc": progress if isinstance(progress, str) else None, "disable": not progress}
    shown |= {"unit": "px", "unit_scale": True, "mininterval": pause, "maxinterval": max(pause, 10)}
    with tqdm(total=height * width, **shown) as bar:
        while top < height:
            rows, columns = _even(height - top, tile), _even(width, tile)
            bottom, failure = min(top + rows, height), None
            try:
                for left in range(0, width, columns):
                    right = min(left + columns, width)
                    factor, core = _core(upscaler, read, size, (top, bottom, left, right), overlap, scale, precision)
                    yield top * factor, left * factor, factor, core
                    del core
                    bar.update((bottom - top) * (right - left))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                failure = str(error).split("\n")[0] or type(error).__name__
            if failure is None:
                top = bottom
            else:  # outside of the handler, where nothing holds the failed tensors any more
                tile = _halved(tile, overlap, failure)
                bar.n = top * width


def tile_of(upscaler: Upscaler, scale: int | None = None) -> int:
    """Longest side of a tile in LR pixels where none is given: the upscaler's own, or `TILE`, and less beyond x4."""
    return max(getattr(upscaler, "tile", TILE) * 4 // max(scale or 4, 4), 1)


def overlap_of(upscaler: Upscaler) -> int:
    """Overlap of tiles in LR pixels where none is given: the upscaler's own, or its radius, at most `OVERLAP`."""
    return getattr(upscaler, "overlap", min(getattr(upscaler, "radius", OVERLAP), OVERLAP))


def precision_of(upscaler: Upscaler, precision: str) -> str:
    """Turn ``"auto"`` into what an upscaler computes in: its own precision, or `pick_precision` of its device.

    Raises
    ------
    SrlabError
        The precision is unknown, or the device doesn't have it.
    """
    weights = upscaler.parameters() if isinstance(upscaler, nn.Module) else ()
    if precision == "auto":
        precision = getattr(upscaler, "precision", precision)
    return pick_precision(precision, next((weight.device for weight in weights), torch.device("cpu")))


def _even(length: int, longest: int) -> int:
    """Length of the first of as few pieces as can be, about equal; multiples of 32 suit windows of attention."""
    equal = length / math.ceil(length / longest)
    return min(32 * math.ceil(equal / 32), longest)


def _core(
    upscaler: Upscaler,
    read: Reader,
    size: tuple[int, int],
    core: tuple[int, int, int, int],
    overlap: int,
    scale: int | None,
    precision: str,
) -> tuple[int, torch.Tensor]:
    """Scale, and SR of the core (top, bottom, left, right), made from a tile that reaches beyond it."""
    top, bottom, left, right = core
    above, below = max(top - overlap, 0), min(bottom + overlap, size[0])
    before, after = max(left - overlap, 0), min(right + overlap, size[1])
    lr = read(above, below, before, after)
    if not torch.isfinite(lr).all():
        raise SrlabError("The image has values that are no numbers (NaN or infinite); check how it was made.")
    sr = apply(upscaler, lr, precision)
    if not torch.isfinite(sr).all():
        broken = "its weights are broken; take weights from before, such as the best ones of the run"
        advice = broken if precision == "no" else f"{precision} may be too coarse for it; take the precision no"
        raise SrlabError(f"The network gives values that are no numbers (NaN or infinite) for this image: {advice}.")
    factor = scale or sr.shape[-1] // lr.shape[-1]
    if factor < 1 or sr.shape[-2:] != (factor * lr.shape[-2], factor * lr.shape[-1]):
        raise SrlabError(
            f"The upscaler made {sr.shape[-1]}x{sr.shape[-2]} pixels of {lr.shape[-1]}x{lr.shape[-2]}, which is not "
            f"{scale or 'a whole number of'} times larger; give the scale that it was made for."
        )
    rows = slice((top - above) * factor, (bottom - above) * factor)
    sr = sr[..., rows, (left - before) * factor : (right - before) * factor]
    return factor, sr.clamp(0, 1).to(lr)


def _halved(tile: int, overlap: int, failure: str) -> int:
    """Half the side after a lack of memory, or an error when tiles are small already."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if tile <= SMALLEST_TILE:
        raise SrlabError(
            f"Not even tiles of {tile} pixels with an overlap of {overlap} fit into the memory ({failure}); "
            "close other programs, or give a smaller overlap."
        )
    smaller = math.ceil(tile / 2)
    tqdm.write(f"The memory is too small for tiles of {tile} pixels; going on with {smaller}.", file=sys.stderr)
    return smaller


def apply(upscaler: Upscaler, lr: torch.Tensor, precision: str = "no") -> torch.Tensor:
    """Upscale an LR batch whole, on the device of the network; not clamped, and it stays on that device.

    In ``"bf16"`` and ``"fp16"`` convolutions compute and answer in it, and the weights stay in float32.
    """
    if not isinstance(upscaler, nn.Module):
        with torch.no_grad():
            return upscaler(lr)
    lr = lr.to(next(upscaler.parameters(), lr).device)
    if lr.device.type == "cpu":
        # oneDNN then copies no activations into a layout of its own. A clone, because one image of a batch can
        # pass for channels_last with strides that the convolutions do not take for it.
        lr = lr.clone(memory_format=torch.channels_last)
    modes = {module: module.training for module in upscaler.modules()}  # some may be frozen
    upscaler.eval()
    try:
        # Without a cache of weights: each is used once, and those that stay would lie between the activations and keep
        # their memory from being used again, which doubles what RRDBNet takes.
        half = torch.autocast(lr.device.type, HALVES.get(precision), precision in HALVES, cache_enabled=False)
        with torch.no_grad(), half, convolutions(whole=precision == "no"):
            return upscaler(lr)
    finally:
        for module, training in modes.items():
            module.training = training
