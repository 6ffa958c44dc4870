"""Extra on shipping a network: upscaling in tiles."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Upscaler = Callable[[torch.Tensor], torch.Tensor]


def upscale_tiled(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
    """Upscale one image tile by tile, so that memory depends on the tile and not on the image.

    Each tile goes through the upscaler with `overlap` LR pixels of context on every side. At the image border there is
    less context, and the network pads as usual. Only the tile itself is kept from the output.

    Parameters
    ----------
    upscaler
        Function that returns SR, ``upscaler(lr)``.
    lr
        ``(1, 3, h, w)``.
    scale
        HR pixels per LR pixel.
    tile
        Side of a tile, in LR pixels; the last tiles of a row and a column may be smaller.
    overlap
        Context on each side, in LR pixels. From the upscaler's receptive radius on, the result equals that of the
        whole image.

    Returns
    -------
    torch.Tensor
        ``(1, 3, h * scale, w * scale)``.
    """
    height, width = lr.shape[-2:]
    sr = lr.new_empty(1, 3, height * scale, width * scale)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            start_y, start_x = max(top - overlap, 0), max(left - overlap, 0)
            piece = upscaler(lr[..., start_y : bottom + overlap, start_x : right + overlap])
            # Within the piece, the tile begins after its context, and at the image border there is none.
            y, x = (top - start_y) * scale, (left - start_x) * scale
            core = piece[..., y : y + (bottom - top) * scale, x : x + (right - left) * scale]
            sr[..., top * scale : bottom * scale, left * scale : right * scale] = core
    return sr


def _map(height: int, width: int) -> torch.Tensor:
    """Return an image whose pixels encode their position: row, column, and their sum, all counted from 1."""
    rows, columns = torch.meshgrid(torch.arange(1.0, height + 1), torch.arange(1.0, width + 1), indexing="ij")
    return torch.stack([rows, columns, rows + columns])[None]


def _repeat(lr: torch.Tensor, scale: int) -> torch.Tensor:
    """Upscale by repeating pixels, which shows where each piece went."""
    return lr.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def _network(lr: torch.Tensor) -> torch.Tensor:
    """Upscale x2 with two 3x3 convolutions that pad with zeros and a pixel shuffle: receptive radius 2."""
    features = F.relu(F.conv2d(lr, sample(6, 3, 3, 3, low=-1, seed=1), torch.full((6,), 0.5), padding=1))
    return F.pixel_shuffle(F.conv2d(features, sample(12, 6, 3, 3, low=-1, seed=2), padding=1), 2)


def _fails(lr: torch.Tensor) -> torch.Tensor:
    """Upscale by repeating pixels, but run out of memory on the tile in the corner."""
    if lr[0, 2].max() == 16:
        raise RuntimeError("CUDA out of memory")
    return _repeat(lr, 2)


def _observe(
    answer: Answer, upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int
) -> dict[str, Any]:
    sides = [0]

    def watched(piece: torch.Tensor) -> torch.Tensor:
        if 0 in piece.shape:
            raise IncorrectAnswer(
                "You passed the upscaler an empty piece. Either a slice starts at a negative number, which counts from "
                "the end (what is `top - overlap` at the border?), or it starts beyond the end (images are (1, 3, h, "
                "w): rows first)."
            )
        sides.extend(piece.shape[-2:])
        return upscaler(piece)

    if upscaler is _fails:
        try:
            answer(watched, lr, scale, tile, overlap)
        except Exception:  # any exception will do, as long as the caller gets one
            return {"the error reaches the caller": True}
        return {"the error reaches the caller": False}
    try:
        result, fit = filled(answer(watched, lr, scale, tile, overlap)), "as large as its place"
    except RuntimeError as error:
        sizes = re.search(r"\((\d+)\) must match the (?:existing )?size (?:of tensor b )?\((\d+)\)", str(error))
        if not sizes:  # of the place, and of what goes there
            raise
        room, given = int(sizes[1]), int(sizes[2])
        result, fit = "", "empty" if given == 0 else f"{'smaller' if room > given else 'larger'} than its place"
    found = {
        "called": max(sides) > 0,
        "small": max(sides) <= tile + 2 * overlap,
        "the size of what goes into the result": fit,
    }
    whole = upscaler(lr)
    wrong = torch.zeros(whole.shape[-2:], dtype=torch.bool)
    if isinstance(result, torch.Tensor) and result.shape == whole.shape:
        wrong = ((result - whole).abs() > 1e-3).any(1)[0]
    inside, rim = wrong.clone(), 6  # in HR pixels: the border where padding shows, but no tiles meet
    inside[: lr.shape[-2] // tile * tile * scale, : lr.shape[-1] // tile * tile * scale] = False
    found["the smaller tiles"] = not (wrong.any() and inside.equal(wrong))
    if upscaler is _network and lr.shape[-1] > 2 * tile:
        found["the image border"] = not wrong.any() or bool(wrong[rim:-rim, rim:-rim].any())
        found["context on all four sides"] = not wrong.any() or max(sides) >= tile + 2 * overlap
        found["the joints between tiles"] = not wrong.any()
    return found | {"the image": result}


# What a wrong answer does along one axis: where its piece begins and ends, where the tile begins in the output for the
# piece and how long it is, where it goes, and how much room it has there.
Axis = Callable[[int, int, int, int, int], tuple[int, int, int, int, int, int]]


def _along(axis: Axis) -> Answer:
    def upscale(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
        height, width = lr.shape[-2:]
        sr = torch.zeros(1, 3, (height + tile) * scale, (width + tile) * scale)
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                a, b, y, rows, to_y, high = axis(top, height, tile, overlap, scale)
                c, d, x, columns, to_x, wide = axis(left, width, tile, overlap, scale)
                core = upscaler(lr[..., a:b, c:d])[..., y : y + rows, x : x + columns]
                sr[..., to_y : to_y + high, to_x : to_x + wide] = core
        return sr[..., : height * scale, : width * scale]

    return upscale


def _right(start: int, size: int, tile: int, overlap: int, scale: int) -> tuple[int, int, int, int, int, int]:
    end, begin = min(start + tile, size), max(start - overlap, 0)
    length = (end - start) * scale
    return begin, end + overlap, (start - begin) * scale, length, start * scale, length


def _but(**changes: Callable[[int, int, int, int, int], int]) -> Answer:
    """Return an answer that is right except for some of its six numbers along each axis."""

    def axis(*given: int) -> tuple[int, ...]:
        right = dict(zip(("begin", "end", "cut", "length", "place", "room"), _right(*given), strict=True))
        return tuple((right | {name: change(*given) for name, change in changes.items()}).values())

    return _along(axis)


def _whole(start: int, size: int, tile: int, overlap: int, scale: int) -> int:
    """Return the length of everything that comes back for a piece."""
    return (min(start + tile + overlap, size) - max(start - overlap, 0)) * scale


def _shaved(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
    """Cut the same amount off each side of the output, wherever the piece is; nothing is left with overlap=0."""
    shave = _but(
        cut=lambda start, size, tile, overlap, scale: overlap * scale,
        length=lambda *given: max(_whole(*given) - 2 * given[3] * given[4], 0) * (given[3] > 0),
    )
    return shave(upscaler, lr, scale, tile, overlap)


def _deaf(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
    def quiet(piece: torch.Tensor) -> torch.Tensor:
        try:
            return upscaler(piece)
        except RuntimeError:
            return _repeat(piece, scale)

    return upscale_tiled(quiet, lr, scale, tile, overlap)


def _turned(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
    """Swap rows and columns of tiles."""
    height, width = lr.shape[-2:]
    tiles = [
        upscaler(lr[..., top : top + tile, left : left + tile])
        for top in range(0, height, tile)
        for left in range(0, width, tile)
    ]
    rows = height // tile
    return torch.cat([torch.cat(tiles[row::rows], -1) for row in range(rows)], -2)


def _joined_at(fixed: int) -> Answer:
    """Return an answer that cuts with a fixed scale, and joins the pieces, whatever their size."""

    def upscale(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
        rows = []
        for top in range(0, lr.shape[-2], tile):
            row = []
            for left in range(0, lr.shape[-1], tile):
                a, b = min(overlap, top), min(overlap, left)
                piece = upscaler(lr[..., top - a : top + tile + overlap, left - b : left + tile + overlap])
                row.append(piece[..., fixed * a : fixed * (a + tile), fixed * b : fixed * (b + tile)])
            rows.append(torch.cat(row, -1))
        return torch.cat(rows, -2)

    return upscale


def _cut_at(fixed: int) -> Answer:
    """Return an answer that cuts with a fixed scale, and puts the pieces into the correct places."""
    return _but(
        cut=lambda start, size, tile, overlap, scale: min(start, overlap) * fixed,
        length=lambda start, size, tile, overlap, scale: tile * fixed,
    )


EXERCISE = Exercise(
    upscale_tiled,
    level="hard",
    points=4,
    cases={
        "tiles cut and put back together": (partial(_repeat, scale=1), _map(8, 12), 1, 4, 0),
        "positions in the result counted in HR pixels": (partial(_repeat, scale=5), _map(8, 12), 5, 4, 0),
        "smaller tiles at the right and at the bottom": (partial(_repeat, scale=2), _map(10, 15), 2, 4, 0),
        "no context in the result": (partial(_repeat, scale=2), _map(16, 20), 2, 8, 2),
        "the same image as without tiles": (_network, sample(1, 3, 21, 26), 2, 8, 2),
        "context wider than a tile": (_network, sample(1, 3, 9, 7), 2, 1, 3),
        "an error of the upscaler reaches the caller": (_fails, _map(8, 8), 2, 4, 0),
    },
    observe=_observe,
    known_mistakes={
        "The tiles are all there, but you swapped rows and columns of tiles.": _turned,
        "The upscaler's output is larger than its input. In which pixels do you count positions in the result?": [
            _but(place=lambda start, *_: start),
            _but(
                place=lambda start, *_: start,
                room=lambda start, size, tile, overlap, scale: min(tile, size - start),
            ),
        ],
        "Your code contains a number where `scale` belongs, so it is correct for one scale only. The network may have "
        "another scale.": [
            *(
                lambda upscaler, lr, scale, tile, overlap, fixed=fixed: upscale_tiled(
                    upscaler, lr, fixed, tile, overlap
                )
                for fixed in (2, 4)
            ),
            *(wrong(fixed) for wrong in (_joined_at, _cut_at) for fixed in (2, 4)),
        ],
        "A piece and its place differ in size. With overlap=0, what does a slice that ends at -0 leave?": _shaved,
        "The tile that you cut from the upscaler's output is too small. At the image border a piece has context on "
        "fewer sides, so the same cut everywhere removes part of the tile.": (
            lambda upscaler, lr, scale, tile, overlap: (_shaved if overlap else upscale_tiled)(
                upscaler, lr, scale, tile, overlap
            )
        ),
        "The image is not a whole number of tiles. Smaller tiles are left at the right and at the bottom. What happens "
        "to them?": [
            _but(room=lambda start, size, tile, overlap, scale: tile * scale),
            lambda upscaler, lr, scale, tile, overlap: upscale_tiled(
                upscaler, lr[..., : lr.shape[-2] // tile * tile, : lr.shape[-1] // tile * tile], scale, tile, overlap
            ),
        ],
        "A piece comes back with its context around it. Only the tile itself belongs in the result.": [
            _but(cut=lambda *_: 0),
            _but(cut=lambda *_: 0, length=_whole),
        ],
        "At the top and at the left of the image there is no context, so the tile begins at once; elsewhere it begins "
        "after the context. Your code cuts both the same way.": [
            _but(cut=lambda start, size, tile, overlap, scale: overlap * scale),
        ],
        "You count the context in LR pixels. How many pixels is that in the upscaler's output?": [
            _but(cut=lambda start, size, tile, overlap, scale: min(start, overlap)),
            _but(
                cut=lambda start, size, tile, overlap, scale: min(start, overlap),
                length=lambda start, size, tile, overlap, scale: tile * scale,
            ),
        ],
        "You get seams: each tile was upscaled without its neighbors, so the network padded where the image continues. "
        "Where does your code use `overlap`?": (
            lambda upscaler, lr, scale, tile, overlap: upscale_tiled(upscaler, lr, scale, tile, 0)
        ),
        "You get seams. Each tile has context, but less than `overlap` on each side.": [
            lambda upscaler, lr, scale, tile, overlap: upscale_tiled(upscaler, lr, scale, tile, overlap // 2),
            lambda upscaler, lr, scale, tile, overlap: upscale_tiled(upscaler, lr, scale, tile, max(overlap - 1, 0)),
            lambda upscaler, lr, scale, tile, overlap: upscale_tiled(upscaler, lr, scale, tile, min(overlap, tile)),
        ],
        "You get seams. A tile inside the image needs context on all four sides, but yours has it on one side of each "
        "axis.": [
            _but(end=lambda start, size, tile, overlap, scale: min(start + tile, size)),
            _but(begin=lambda start, *_: start, cut=lambda *_: 0),
        ],
        "Every tile has its context, but the joints are still wrong. A piece is wrong near its own edges, so crop "
        "these first. Overwriting a correct neighbor, or averaging with it, keeps wrong pixels.": _but(
            cut=lambda *_: 0,
            length=_whole,
            room=_whole,
            place=lambda start, size, tile, overlap, scale: max(start - overlap, 0) * scale,
        ),
        "The upscaler failed on a tile, and your code continued. The image then silently has a hole or a wrong tile. "
        "Let the error through.": _deaf,
    },
    fallback_messages={
        "the size of what goes into the result": "What you put into the result and its place there differ in size. The "
        "last tiles of a row and a column may be smaller, and a piece has context around it, except where the image "
        "ends.",
        "called": "The upscaler was never called.",
        "small": "You passed the upscaler more than a tile with its context. Tiles limit memory only if it never sees "
        "more. Do your slices cut the last two axes?",
        "the smaller tiles": "The image is not a whole number of tiles. Smaller tiles are left at the right and at the "
        "bottom. What happens to them?",
        "the image border": "The inside is correct, but the image border is not: you padded something there. The "
        "network pads on its own, as it does for a whole image. How much context does a tile at the border need from "
        "you?",
    },
    also_accepted=[_along(_right)],
    hints=(
        "Go through the image in steps of `tile`. For each tile, draw three rectangles: the upscaler's input, the tile "
        "within its output, and the tile's place in the result. Start at the top left, then take one in the middle.",
        "The upscaler's input ends where the image ends: max(..., 0) and min(..., height) do that. The tile then "
        "begins (top - start) * scale pixels into the output.",
    ),
)
