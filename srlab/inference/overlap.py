"""How much a tile must see beyond its own pixels so that no seam shows: measured, not guessed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from srlab.base.errors import SrlabError

Upscaler = Callable[[torch.Tensor], torch.Tensor]

# Of what the probes find. Seams elsewhere are larger, in trained networks mostly up to twice as large, and half a level
# cannot change a rounded level by more than one.
QUARTER_LEVEL = 0.25 / 255
CANDIDATES = (4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256)
CORE, CORES, BREADTH = 8, 3, 24  # a probe: so many small tiles side by side, this wide and this long, in LR pixels
BLOCK = 16  # LR pixels a side, of the squares among which the places of the probes are chosen


@dataclass(frozen=True)
class Source:
    """An LR image that is read piece by piece, so that it need not be in memory as floats.

    Parameters
    ----------
    height, width
        In LR pixels.
    read
        ``read(top, left, height, width)`` gives that piece, ``(N, 3, height, width)`` in [0, 1].
    """

    height: int
    width: int
    read: Callable[[int, int, int, int], torch.Tensor]


def as_source(lr: torch.Tensor | Source) -> Source:
    """Let a tensor ``(N, 3, h, w)`` be read like a file."""
    if isinstance(lr, Source):
        return lr
    return Source(*lr.shape[-2:], lambda top, left, height, width: lr[..., top : top + height, left : left + width])


@contextmanager
def evaluating(upscaler: Upscaler) -> Iterator[None]:
    """Hold a network in eval mode, without gradients; afterwards it is in the mode it was in."""
    with torch.no_grad():
        if not isinstance(upscaler, nn.Module):
            yield
            return
        training = upscaler.training
        try:
            upscaler.eval()
            yield
        finally:
            upscaler.train(training)


def device_of(upscaler: Upscaler, default: torch.device | str = "cpu") -> torch.device:
    """Device on which a network is; the default for a function, which takes its input as it comes."""
    first = next(upscaler.parameters(), None) if isinstance(upscaler, nn.Module) else None
    return torch.device(default) if first is None else first.device


def apply(upscaler: Upscaler, lr: torch.Tensor) -> torch.Tensor:
    """Upscale an LR batch whole, on the device of the network; not clamped, and it stays on that device."""
    with evaluating(upscaler):
        if isinstance(upscaler, nn.Module):
            lr = lr.to(device_of(upscaler, lr.device))
            if lr.device.type == "cpu":
                # oneDNN then copies no activations into a layout of its own. A clone, because one image of a batch can
                # pass for channels_last with strides that the convolutions do not take for it.
                lr = lr.clone(memory_format=torch.channels_last)
        return upscaler(lr)


def overlap_errors(upscaler: Upscaler, lr: torch.Tensor | Source, overlaps: Iterable[int]) -> dict[int, float]:
    """Measure how wrong the pixels beside a cut are, by the number of LR pixels kept beyond them.

    A few small tiles side by side are upscaled with so much overlap, and compared with a window around them in
    which they lie whole. Across the tiles the window reaches twice the largest overlap farther, or the network's
    receptive radius if that is less; along them both end at the same borders, so nothing but the cuts differs. This
    is done in both directions at a few places: the most detailed ones, those of the strongest contrast, and the
    brightest (a network pads with zeros, and white differs most from that).

    Parameters
    ----------
    upscaler
        A network or a function from LR to SR. Its attribute ``radius``, in LR pixels, is used if there is one.
    lr
        ``(1, 3, h, w)`` in [0, 1], or the same as a `Source`.
    overlaps
        In LR pixels, 0 or more.

    Returns
    -------
    dict of int to float
        Overlap -> largest absolute error found, where 1 is the step from black to white. Sides on which the
        image is too small for an overlap are left out, and an overlap for which no side is left is not there.
    """
    source, overlaps = as_source(lr), sorted(set(overlaps))
    if not overlaps or overlaps[0] < 0:
        raise SrlabError(f"Overlaps are numbers of LR pixels of at least 0, but got {overlaps}.")
    probe = _probe(upscaler, source, _places(source), overlaps[-1])
    return {k: error for k in overlaps if (error := probe(k)) is not None}


def measure_overlap(upscaler: Upscaler, lr: torch.Tensor | Source) -> int:
    """Find the smallest overlap with which seams are off by less than half an 8-bit level, as far as probes can tell.

    It is the smallest of which the error that `overlap_errors` finds is below a quarter of a level. That is a
    measurement at a few places and no proof: seams elsewhere are larger, mostly by less than a factor of two. For a
    promise that needs no measurement give the receptive radius as overlap: then only float rounding is left.

    Parameters
    ----------
    upscaler
        A network or a function from LR to SR, with or without an attribute ``radius``.
    lr
        ``(1, 3, h, w)`` in [0, 1], or the same as a `Source`.

    Returns
    -------
    int
        LR pixels; at most the network's radius.

    Raises
    ------
    SrlabError
        No overlap up to 256 is enough for an upscaler whose radius is unknown.
    """
    source = as_source(lr)
    radius, places, farthest, error = getattr(upscaler, "radius", None), _places(source), 0, 0.0
    candidates = [k for k in CANDIDATES if radius is None or k < radius]
    # Each stage has its own reference, so that most images pay for the first only. What sees the whole image can look
    # as if it settled when the reference is near, so an upscaler of unknown radius gets the farthest from the start.
    stages = ((0, 256),) if radius is None else ((0, 16), (16, 64), (64, 256))
    for stage in stages:
        tried = [k for k in candidates if stage[0] < k <= stage[1]]
        probe = _probe(upscaler, source, places, tried[-1]) if tried else None
        for k in tried:
            if (found := probe(k)) is not None:
                farthest, error = k, found
                if error < QUARTER_LEVEL:
                    return k
    if radius is not None:
        return int(radius)
    if farthest < CANDIDATES[-1]:  # the image is too small for a cut farther off, and not too large to be seen whole
        return max(source.height, source.width)
    raise SrlabError(
        f"Tiles would leave seams of {255 * error:.1f} levels even with {CANDIDATES[-1]} LR pixels of overlap, so this "
        "upscaler looks at the whole image; choose an overlap yourself, or upscale smaller images."
    )


def _probe(
    upscaler: Upscaler, source: Source, places: list[tuple[int, int]], largest: int
) -> Callable[[int], float | None]:
    """Prepare a function from an overlap to its largest error, None where the image is too small to tell."""
    far = max(min(2 * largest, getattr(upscaler, "radius", None) or 2 * largest), largest, 1)
    references = []
    for axis in (-1, -2):
        margin = min(far, (_side(source, axis) - CORE) // 2)
        if margin > 0:
            windows = torch.cat(_windows(source, places, axis, margin))
            references.append((axis, margin, windows, apply(upscaler, windows)))

    def error(overlap: int) -> float | None:
        worst = None
        for axis, margin, windows, truth in references:
            if overlap > margin or (overlap == margin < far):
                continue
            scale = truth.shape[axis] // windows.shape[axis]
            cores = (windows.shape[axis] - 2 * margin) // CORE
            starts = [margin + CORE * i for i in range(cores)]
            tiles = torch.cat([windows.narrow(axis, start - overlap, CORE + 2 * overlap) for start in starts])
            sr = apply(upscaler, tiles).narrow(axis, overlap * scale, CORE * scale)
            wanted = torch.cat([truth.narrow(axis, start * scale, CORE * scale) for start in starts])
            found = float((sr - wanted).abs().amax().nan_to_num(torch.inf))
            worst = found if worst is None else max(worst, found)
        return worst

    return error


def _side(source: Source, axis: int) -> int:
    return source.width if axis == -1 else source.height


def _windows(source: Source, places: list[tuple[int, int]], axis: int, margin: int) -> list[torch.Tensor]:
    """Pieces around places: a few tiles side by side along an axis, and a margin before and after them."""
    size = [min(BREADTH, source.height), min(BREADTH, source.width)]
    cores = min(CORES, (_side(source, axis) - 2 * margin) // CORE)
    size[axis] = 2 * margin + CORE * cores
    windows = []
    for row, column in places:
        top = min(max(row - size[0] // 2, 0), source.height - size[0])
        left = min(max(column - size[1] // 2, 0), source.width - size[1])
        windows.append(source.read(top, left, *size)[:1])
    return windows


def _places(source: Source) -> list[tuple[int, int]]:
    """Row and column of a few places: detailed, of strong contrast, bright; more of them in a larger image."""
    rows = max(1, min(2**21 // source.width, source.height) // BLOCK) * BLOCK
    detail, contrast, light = [], [], []
    for top in range(0, source.height, rows):
        strip = source.read(top, 0, min(rows, source.height - top), source.width)[:1].mean(dim=1)
        edges = torch.zeros_like(strip)
        edges[:, 1:] += strip.diff(dim=1).abs()
        edges[:, :, 1:] += strip.diff(dim=2).abs()
        steps = nn.functional.max_pool2d(strip, 5, 1, 2) + nn.functional.max_pool2d(-strip, 5, 1, 2)
        detail.append(nn.functional.avg_pool2d(edges, BLOCK, ceil_mode=True).cpu())
        contrast.append(nn.functional.max_pool2d(steps, BLOCK, ceil_mode=True).cpu())
        light.append(nn.functional.avg_pool2d(strip, BLOCK, ceil_mode=True).cpu())
    maps = [torch.cat(parts, dim=1)[0] for parts in (detail, contrast, light)]
    count = min(max(source.height * source.width // 500_000, 1), 3)
    places = []
    for values in maps:
        values = values.clone()
        for _ in range(count):
            row, column = divmod(int(values.argmax()), values.shape[1])
            places.append((row * BLOCK + BLOCK // 2, column * BLOCK + BLOCK // 2))
            values[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4] = -1  # the next one lies elsewhere
    return places
