"""How large tiles may be: what an upscaler needs of memory, and what there is."""

import ctypes
import math
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from srlab.base.errors import SrlabError
from srlab.inference.overlap import Source, Upscaler, apply, as_source, device_of, measure_overlap

CPU_BUDGET = 960 * 2**20  # bytes of activations that a tile may take on a CPU, however much memory is free
LONGEST_SIDE = 1024  # LR pixels of a tile's core; the matrices of an interpolation grow with the square of it
STRIP_BUDGET = 2**28  # bytes of a row of tiles in SR
SMALLEST_TILE = 16  # a tile is not halved below this many LR pixels a side
ALWAYS_WHOLE = 96**2  # LR pixels of a batch that is too small to be worth a look at the memory


@dataclass(frozen=True)
class Tiling:
    """Height and width of a tile's core, and how far a tile reaches beyond it; all in LR pixels."""

    height: int
    width: int
    overlap: int


def plan_tiles(
    upscaler: Upscaler, lr: torch.Tensor | Source, tile: int | None = None, overlap: int | None = None
) -> Tiling:
    """Choose tiles: the whole image where it fits into the memory, else as few pixels to compute as possible.

    Parameters
    ----------
    upscaler, lr, tile, overlap
        As in `upscale_strips`.

    Returns
    -------
    Tiling
        Its overlap is 0 for a single tile.

    Raises
    ------
    SrlabError
        No tile with this overlap fits into the memory.
    """
    source = as_source(lr)
    height, width = source.height, source.width
    if tile is not None:
        if tile >= max(height, width):
            return Tiling(height, width, 0)
        overlap = measure_overlap(upscaler, source) if overlap is None else overlap
        return Tiling(min(tile, height), min(tile, width), overlap)
    batch = 1 if isinstance(lr, Source) else len(lr)
    if batch * height * width <= ALWAYS_WHOLE:
        return Tiling(height, width, 0)
    working, result = bytes_per_pixel(upscaler, source)
    pixels = int(free_memory(device_of(upscaler)) / (batch * 1.1 * working))  # 1.1: what libraries take besides
    if height * width <= pixels and max(height, width) <= LONGEST_SIDE:
        return Tiling(height, width, 0)
    overlap = measure_overlap(upscaler, source) if overlap is None else overlap
    best = None
    for columns in range(math.ceil(width / LONGEST_SIDE), width + 1):
        # The widest tile of this many decides how high one may be.
        core = math.ceil(width / columns)
        seen = min(core + 2 * overlap, width)
        high = height if seen * height <= pixels else min(pixels // seen - 2 * overlap, height)
        high = min(high, LONGEST_SIDE)
        high = min(high, max(int(STRIP_BUDGET / (batch * result * width)), SMALLEST_TILE))
        if high >= min(SMALLEST_TILE, height):
            rows = math.ceil(height / high)
            cost = (width + 2 * overlap * (columns - 1)) * (height + 2 * overlap * (rows - 1))
            if best is None or cost < best[0]:
                best = cost, Tiling(math.ceil(height / rows), core, overlap)
        if core <= SMALLEST_TILE:
            break
    if best is None:
        raise SrlabError(
            f"Tiles with an overlap of {overlap} do not fit into the free memory; give a smaller overlap (seams may "
            "then show), or upscale on a machine with more memory."
        )
    return best[1]


def free_memory(device: torch.device) -> int:
    """Bytes that the activations of a tile may take on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(0.6 * (free + unused))
    import psutil

    return min(CPU_BUDGET, psutil.virtual_memory().available // 2)


def give_back_memory() -> None:
    """Return memory that is free again to the system, between tiles.

    The C library of Linux keeps blocks of up to 32 MB for itself, and gaps between them make a process grow from tile
    to tile, here by half as much as a tile needs.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library, which has no such function
            ctypes.CDLL(None).malloc_trim(0)


def bytes_per_pixel(upscaler: Upscaler, lr: torch.Tensor | Source) -> tuple[float, float]:
    """Bytes for each LR pixel that an upscaler holds at its peak, and those of the SR it makes.

    They are counted while it upscales a small piece, for one image of a batch.
    """
    source = as_source(lr)
    height, width = min(source.height, 32), min(source.width, 32)
    piece = source.read(0, 0, height, width)[:1]
    with _Peak() as memory:
        sr = apply(upscaler, piece)
    return max(memory.peak, sr.nbytes) / (height * width), sr.nbytes / (height * width)


class _Peak(TorchDispatchMode):
    """Counts the bytes of all tensors that the operations inside make, from their birth to their death."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation as ever, and look at what came out of it."""
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self.live:
                    self.live[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self.live.pop, storage._cdata, None)
        self.peak = max(self.peak, sum(self.live.values()))
        return result
