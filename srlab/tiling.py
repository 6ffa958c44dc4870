"""Upscale images of any size with a network or a function; large images are split into tiles."""

import math
import sys
from collections.abc import Callable

import torch
from torch import nn
from tqdm.auto import tqdm

from srlab.data.images import full_range, luma, to_float, to_uint8
from srlab.devices import cudnn_settings, explaining_lack_of_memory, out_of_memory, pick_precision
from srlab.errors import SrlabError
from srlab.text import printable

Upscaler = Callable[[torch.Tensor], torch.Tensor]
Box = tuple[int, int, int, int]  # top, bottom, left and right of the core of a tile in LR pixels

# Side of a tile in LR pixels. At x4 SRResNet then uses about 1 GiB of memory, and RRDBNet 2.
TILE = 320
# Largest default overlap in LR pixels (receptive radius of SRResNet 40, of RRDBNet 349). Pixels further away change the
# result by less than half an 8-bit level in our networks and by at most one level in Real-ESRGAN, where an overlap of
# 24 pixels would cause errors of 26 levels (benchmarks/RESULTS.md).
MAX_OVERLAP = 80
SMALLEST_TILE = 16


def upscale(
    upscaler: Upscaler,
    lr: torch.Tensor,
    scale: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    precision: str = "fp32",
    label: str = "",
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Upscale an LR image or batch, without gradients, in eval mode and on the device of the network.

    A large image is upscaled in tiles. Each tile includes `overlap` LR pixels of its neighbors, and only its core is
    kept, so the network's memory use does not grow with the image. A tile that does not fit into memory is divided, and
    so are those after it.

    Parameters
    ----------
    upscaler
        A network or a function: ``upscaler(lr)`` returns SR. `srlab.models.Generator` describes its attributes.
    lr
        ``(N, C, h, w)`` or ``(C, h, w)``, float in [0, 1] or uint8 levels; C = 3 for RGB, 1 for gray.
    scale
        SR pixels per LR pixel (default: the upscaler's own factor).
    tile
        Longest side of a tile's core in LR pixels (default: `tile_of`, and less for a batch).
    overlap
        LR pixels (default: `overlap_of`). If it is at least the receptive radius of the network, the result is the same
        as without tiles, up to float rounding.
    precision
        Number format of the network: ``"fp32"`` (exact), ``"bf16"``, or ``"auto"``, see `precision_of`.
    label
        Name of the image for a progress bar over the LR pixels, which moves with each tile; "" shows no bar.
    dtype
        Number format of the result (default: that of `lr`); ``torch.uint8`` rounds to 8-bit levels.

    Returns
    -------
    torch.Tensor
        ``(N, C, H, W)`` or ``(C, H, W)``, clamped to [0, 1], on the device of `lr`.
    """
    if lr.ndim == 3:
        return upscale(upscaler, lr[None], scale, tile, overlap, precision, label, dtype)[0]
    if lr.ndim != 4 or lr.shape[1] not in (1, 3) or not lr.numel():
        raise SrlabError(
            f"upscale needs RGB or gray images (N, C, h, w) or (C, h, w), but got a tensor of shape {tuple(lr.shape)}."
        )
    count, channels, height, width = lr.shape
    dtype = dtype or lr.dtype
    # Store 8-bit levels in the order of an image file, so that saving needs no copy.
    layout = torch.channels_last if dtype == torch.uint8 else torch.contiguous_format
    if tile is None:  # a batch should use no more memory than one image
        tile = max(int(tile_of(upscaler, scale) / math.sqrt(count)), SMALLEST_TILE)
    overlap = overlap_of(upscaler) if overlap is None else overlap
    if tile < 1 or overlap < 0:
        raise SrlabError(f"tile must be at least 1 and overlap at least 0, but they are {tile} and {overlap}.")
    tile, precision = min(tile, max(height, width)), precision_of(upscaler, precision)
    sr, boxes = None, _boxes((0, height, 0, width), tile)
    with tqdm(total=height * width, desc=printable(label), disable=not label, unit="px", unit_scale=True) as bar:
        while boxes:
            core = None
            try:
                core = _core(upscaler, lr, boxes[0], overlap, scale, precision)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if tile <= SMALLEST_TILE:
                    reason = str(error).partition("\n")[0] or type(error).__name__
                    raise SrlabError(
                        f"Out of memory even with tiles of {tile} pixels and an overlap of {overlap} ({reason}). "
                        "Close other programs, or use a smaller overlap."
                    ) from error
            if core is None:  # after the except block, in which the error keeps the tensors of the failed tile alive
                torch.cuda.empty_cache()
                smaller = math.ceil(tile / 2)
                tqdm.write(f"Out of memory with tiles of {tile} pixels. Continuing with {smaller}.", file=sys.stderr)
                tile = smaller
                boxes = [part for box in boxes for part in _boxes(box, tile)]
                continue
            top, bottom, left, right = boxes.pop(0)
            factor = core.shape[-1] // (right - left)
            if sr is None:
                with explaining_lack_of_memory("the upscaled image", "Crop the image first"):
                    size = (count, channels, height * factor, width * factor)
                    sr = torch.empty(size, dtype=dtype, device=lr.device, memory_format=layout)
            core = to_uint8(core) if dtype == torch.uint8 else core
            sr[..., top * factor : bottom * factor, left * factor : right * factor] = core
            bar.update((bottom - top) * (right - left))
    assert sr is not None  # an image has a tile
    return sr


def tile_of(upscaler: Upscaler, scale: int | None = None) -> int:
    """Return the default side of a tile in LR pixels: the upscaler's own or `TILE`, and less for a scale above 4."""
    scale = scale or getattr(upscaler, "config", {}).get("scale", 4)
    return max(getattr(upscaler, "tile", TILE) * 4 // max(scale, 4), 1)


def overlap_of(upscaler: Upscaler) -> int:
    """Return the default overlap of tiles in LR pixels: the upscaler's own, or its radius, at most `MAX_OVERLAP`."""
    return getattr(upscaler, "overlap", min(getattr(upscaler, "radius", MAX_OVERLAP), MAX_OVERLAP))


def precision_of(upscaler: Upscaler, precision: str) -> str:
    """Replace ``"auto"`` with the upscaler's own precision, or with `pick_precision` of its device."""
    weights = upscaler.parameters() if isinstance(upscaler, nn.Module) else ()
    if precision == "auto":
        precision = getattr(upscaler, "precision", precision)
    return pick_precision(precision, next((weight.device for weight in weights), torch.device("cpu")))


def upscale_whole(
    upscaler: Upscaler, lr: torch.Tensor, precision: str = "fp32", origin: tuple[int, int] = (0, 0)
) -> torch.Tensor:
    """Upscale an LR batch without tiles; the result is not clamped and stays on the device of the network.

    In ``"bf16"`` convolutions compute in bfloat16, and the weights stay in float32. `origin` is the position of the
    batch in a larger image, for an upscaler that takes it.
    """
    place = {"origin": origin} if getattr(upscaler, "takes_origin", False) else {}
    if not isinstance(upscaler, nn.Module):
        with torch.no_grad():
            return upscaler(lr, **place)
    lr = lr.to(next(upscaler.parameters(), lr))
    if lr.device.type == "cpu":
        # In channels_last oneDNN does not copy activations into its own layout. Clone, because one image of a batch
        # can count as channels_last with strides that the convolutions do not accept as such.
        lr = lr.clone(memory_format=torch.channels_last)
    # Do not cache the weights in bfloat16: each is used once, and cached weights between the activations would
    # fragment the memory, which doubles what RRDBNet needs.
    half = torch.autocast(lr.device.type, torch.bfloat16, precision == "bf16", cache_enabled=False)
    modes = {module: module.training for module in upscaler.modules()}  # some may be frozen
    upscaler.eval()
    try:
        with torch.no_grad(), half, cudnn_settings(tf32=precision != "fp32"):
            return upscaler(lr, **place)
    finally:
        for module, training in modes.items():
            module.training = training


def _core(
    upscaler: Upscaler, image: torch.Tensor, box: Box, overlap: int, scale: int | None, precision: str
) -> torch.Tensor:
    """Return the SR image of a box, on the device of the LR image."""
    top, bottom, left, right = box
    size = image.shape[-2:]
    above, below = max(top - overlap, 0), min(bottom + overlap, size[0])
    before, after = max(left - overlap, 0), min(right + overlap, size[1])
    lr = to_float(image[..., above:below, before:after]).expand(-1, 3, -1, -1)
    if not torch.isfinite(lr).all():
        raise SrlabError("The image contains NaN or infinity. Check how it was produced.")
    sr = upscale_whole(upscaler, lr, precision, (above, before))
    if not torch.isfinite(sr).all():
        advice = f"The number format {precision} may be too coarse for it. Use precision fp32."
        if precision == "fp32":
            advice = "Its weights are broken. Use earlier weights, such as the best ones of the run."
        raise SrlabError(f"The network's output contains NaN or infinity for this image. {advice}")
    factor = sr.shape[-1] // lr.shape[-1] if scale is None else scale
    if factor < 1 or sr.shape[-2:] != (factor * lr.shape[-2], factor * lr.shape[-1]):
        raise SrlabError(
            f"The upscaler turned {lr.shape[-1]}x{lr.shape[-2]} pixels into {sr.shape[-1]}x{sr.shape[-2]}, which is "
            f"not {'a whole number of' if scale is None else scale} times larger. Pass the scale that it was made for."
        )
    rows = slice((top - above) * factor, (bottom - above) * factor)
    columns = slice((left - before) * factor, (right - before) * factor)
    sr = sr[..., rows, columns].clamp(0, 1).to(lr)
    if image.shape[1] == 1:  # the upscaler got RGB, but gray stays gray
        sr = full_range(luma(sr)).clamp(0, 1)
    return sr


def _boxes(box: Box, tile: int) -> list[Box]:
    """Divide a box into as few, about equal boxes as possible with sides of at most `tile`."""
    top, bottom, left, right = box
    columns, boxes = _even(right - left, tile), []
    while top < bottom:
        below = min(top + _even(bottom - top, tile), bottom)
        boxes += [(top, below, start, min(start + columns, right)) for start in range(left, right, columns)]
        top = below
    return boxes


def _even(length: int, longest: int) -> int:
    """Return the length of the first piece when a length is split into as few, about equal pieces as possible.

    The result is a multiple of 32, for attention windows, unless `longest` is smaller.
    """
    equal = length / math.ceil(length / longest)
    return min(32 * math.ceil(equal / 32), longest)
