"""How much a tile must see beyond its own pixels so that no seam shows: measured, not guessed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from srlab.errors import SrlabError

Upscaler = Callable[[torch.Tensor], torch.Tensor]

HALF_LEVEL = 0.5 / 255
CANDIDATES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
NEAR, BREADTH = 8, 24  # LR pixels of a probe: beyond the cut, where the error is looked for, and along the cut
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
            if lr.device.type == "cpu":  # oneDNN then copies no activations into a layout of its own
                lr = lr.contiguous(memory_format=torch.channels_last)
        return upscaler(lr)


def overlap_errors(upscaler: Upscaler, lr: torch.Tensor | Source, overlaps: Iterable[int]) -> dict[int, float]:
    """Measure how wrong the pixels beside a cut are, by the number of LR pixels kept beyond them.

    A straight cut is made `overlap` LR pixels away from some pixels, and these are compared with what they are
    when the cut is farther off: twice the largest overlap away, or the network's receptive radius if that is
    less. All other borders stay where they are, so nothing but the cut differs. This is done at a few places,
    the most detailed ones and the brightest (a network pads with zeros, and white differs most from that),
    for cuts on all four sides.

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
    return dict(_errors(upscaler, source, _places(source), overlaps))


def measure_overlap(upscaler: Upscaler, lr: torch.Tensor | Source) -> int:
    """Find the smallest overlap of which the error that `overlap_errors` measures is below half an 8-bit level.

    What this promises: at the probed places of this image, a cut on any side moves no value by half a level.
    It is a measurement and no proof: other places may be worse, and where two cuts meet in a corner their errors
    add. Half a level leaves them a factor of two until an 8-bit value can differ by more than one level. For a
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
        for farthest, error in _errors(upscaler, source, places, tried):
            if error < HALF_LEVEL:
                return farthest
    if radius is not None:
        return int(radius)
    if farthest < CANDIDATES[-1]:  # the image is too small for a cut farther off, and not too large to be seen whole
        return max(source.height, source.width)
    raise SrlabError(
        f"Tiles would leave seams of {255 * error:.1f} levels even with {CANDIDATES[-1]} LR pixels of overlap, so this "
        "upscaler looks at the whole image; choose an overlap yourself, or upscale smaller images."
    )


def _errors(
    upscaler: Upscaler, source: Source, places: list[tuple[int, int]], overlaps: list[int]
) -> Iterator[tuple[int, float]]:
    """Overlap and error, in order; the reference is computed once for all of them."""
    if not overlaps:
        return
    far = min(2 * overlaps[-1], getattr(upscaler, "radius", None) or 2 * overlaps[-1])
    far = max(far, overlaps[-1], 1)
    probes = []
    for axis in (-1, -2):
        size = source.width if axis == -1 else source.height
        context = min(far, size - NEAR)
        if context > 0:
            windows = _windows(source, places, axis, context)
            probes.append((axis, context, windows, apply(upscaler, torch.cat(windows))))
    for overlap in overlaps:
        worst = -1.0
        for axis, context, windows, reference in probes:
            if overlap >= context and context < far:
                continue
            scale = reference.shape[axis] // windows[0].shape[axis]
            length = min(overlap, context) + NEAR
            # The first half of the windows is cut at its beginning, the other half at its end.
            half = len(windows) // 2
            cut = [window.narrow(axis, context + NEAR - length, length) for window in windows[:half]]
            cut += [window.narrow(axis, 0, length) for window in windows[half:]]
            part, near = apply(upscaler, torch.cat(cut)), NEAR * scale
            starts = part[:half].narrow(axis, part.shape[axis] - near, near)
            ends = part[half:].narrow(axis, 0, near)
            truth_starts = reference[:half].narrow(axis, reference.shape[axis] - near, near)
            truth_ends = reference[half:].narrow(axis, 0, near)
            error = torch.maximum((starts - truth_starts).abs().amax(), (ends - truth_ends).abs().amax())
            worst = max(worst, float(error.nan_to_num(torch.inf)))
        if worst >= 0:
            yield overlap, worst


def _windows(source: Source, places: list[tuple[int, int]], axis: int, context: int) -> list[torch.Tensor]:
    """Pieces around places for cuts across an axis, first those with the context before the place, then after."""
    size = [min(BREADTH, source.height), min(BREADTH, source.width)]
    size[axis] = context + NEAR
    windows = []
    for before in (True, False):
        for row, column in places:
            corner = [row - size[0] // 2, column - size[1] // 2]
            corner[axis] = (row, column)[axis] - (context if before else 0)
            top = min(max(corner[0], 0), source.height - size[0])
            left = min(max(corner[1], 0), source.width - size[1])
            windows.append(source.read(top, left, *size)[:1])
    return windows


def _places(source: Source) -> list[tuple[int, int]]:
    """Row and column of a few places, the most detailed ones and the brightest in turn, more in a larger image."""
    rows = max(1, min(2**21 // source.width, source.height) // BLOCK) * BLOCK
    detail, light = [], []
    for top in range(0, source.height, rows):
        strip = source.read(top, 0, min(rows, source.height - top), source.width)[:1].mean(dim=1)
        edges = torch.zeros_like(strip)
        edges[:, 1:] += strip.diff(dim=1).abs()
        edges[:, :, 1:] += strip.diff(dim=2).abs()
        for found, values in ((detail, edges), (light, strip)):
            found.append(nn.functional.avg_pool2d(values, BLOCK, ceil_mode=True).cpu())
    maps = [torch.cat(parts, dim=1)[0] for parts in (detail, light)]
    count = min(max(source.height * source.width // 250_000, 1), 3)
    places = []
    for values in maps:
        values = values.clone()
        for _ in range(count):
            row, column = divmod(int(values.argmax()), values.shape[1])
            places.append((row * BLOCK + BLOCK // 2, column * BLOCK + BLOCK // 2))
            values[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4] = -1  # the next one lies elsewhere
    return places
