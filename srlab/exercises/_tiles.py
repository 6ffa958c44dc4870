"""The exercise of lab 05 about upscaling in tiles."""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor

Upscaler = Callable[[torch.Tensor], torch.Tensor]


def upscale_tiled(upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int) -> torch.Tensor:
    """Upscale one image tile by tile, so that memory depends on the tile and not on the image.

    Each tile goes through the upscaler together with `overlap` LR pixels of context on every side, as far as the
    image goes: where the image ends, the network pads as it always does. Of the result only the tile itself is kept.

    Parameters
    ----------
    upscaler
        ``upscaler(lr)`` gives SR.
    lr
        ``(1, 3, h, w)``.
    scale
        HR pixels per LR pixel.
    tile
        Side of a tile, in LR pixels; the last ones of a row and a column may be smaller.
    overlap
        Context on each side, in LR pixels. From the upscaler's receptive radius on, the result is that of the
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
            # Within the piece the tile begins where its context ends, and there is none at the image's border.
            y, x = (top - start_y) * scale, (left - start_x) * scale
            core = piece[..., y : y + (bottom - top) * scale, x : x + (right - left) * scale]
            sr[..., top * scale : bottom * scale, left * scale : right * scale] = core
    return sr


# --- An upscaler that only repeats pixels shows where each piece went ------------------------------------------


def _map(height: int, width: int) -> torch.Tensor:
    """An image whose pixels say where they are: row, column, and their sum, all counted from 1."""
    rows, columns = torch.meshgrid(torch.arange(1.0, height + 1), torch.arange(1.0, width + 1), indexing="ij")
    return torch.stack([rows, columns, rows + columns])[None]


def _repeat(lr: torch.Tensor, scale: int) -> torch.Tensor:
    return lr.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


_NEGATIVE = (
    "A slice that starts at a negative number counts from the end of the image. What is `top - overlap` for a tile at "
    "the border?"
)
_SIZES = re.compile(r"\((\d+)\) must match the (?:existing )?size (?:of tensor b )?\((\d+)\)")  # the place, the piece


def _tiled(
    answer: Answer,
    upscaler: Upscaler,
    lr: torch.Tensor,
    scale: int,
    tile: int,
    overlap: int,
    mismatch: str,
    shape: str,
    short: str = "",
) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    """The answer's SR image, and height and width of every piece that the upscaler was given.

    Parameters
    ----------
    mismatch
        The hint when torch complains about sizes.
    shape
        The hint when the result has another shape.
    short
        The hint in place of both when what was to be put into the result, or the result, is too small.
    """
    pieces = []

    def watched(piece: torch.Tensor) -> torch.Tensor:
        height, width = piece.shape[-2:]
        if 0 in (height, width):
            hint = _NEGATIVE if overlap else "Where do your slices begin and end?"
            raise Wrong(f"The upscaler was given an empty piece of {height}x{width} pixels. {hint}")
        pieces.append((height, width))
        return upscaler(piece)

    given = lr.clone()
    try:
        result = filled(answer(watched, given, scale, tile, overlap))
    except RuntimeError as error:
        if "size" not in str(error) and "shape" not in str(error):
            raise
        sizes = _SIZES.search(str(error))
        hint = short if short and sizes and int(sizes[1]) > int(sizes[2]) else mismatch
        raise Wrong(f"{hint} (torch says: {str(error).strip().splitlines()[0]})") from error
    wanted = (1, 3, lr.shape[-2] * scale, lr.shape[-1] * scale)
    small = isinstance(result, torch.Tensor) and result.numel() < wanted[1] * wanted[2] * wanted[3]
    result = tensor(result, wanted, short if short and small else shape)
    if not torch.equal(given, lr):
        raise Wrong("The LR image that came in was changed in place. Write into a new tensor.")
    return result, pieces


def _tiles_pasted(answer: Answer) -> None:
    lr, empty = _map(8, 12), "Only tiles of 4x4 pixels and nothing around them: "
    sizes = empty + "a piece and its place differ in size. With overlap=0, what does a slice that ends at -0 leave?"
    shape = "Scale 1, so SR is as large as LR. Are all tiles there, in rows and columns?"
    result, pieces = _tiled(answer, lambda piece: piece, lr, 1, 4, 0, sizes, shape)
    if not pieces:
        raise Wrong("The upscaler was never called.")
    if max(max(piece) for piece in pieces) > 4:
        height, width = max(pieces)
        raise Wrong(
            f"The upscaler was given {height}x{width} pixels, but tile=4 and overlap=0. The point of tiles is that it "
            "never sees more than one tile and its context: a larger piece takes more memory than there is."
        )
    across = "The tiles are all there, but rows and columns of tiles have changed places."
    tiles = lr.unflatten(-1, (3, 4)).unflatten(-3, (2, 4)).permute(2, 4, 0, 1, 3, 5).flatten(0, 1)  # row by row
    exchanged = torch.cat([torch.cat([*tiles[row::2]], -1) for row in range(2)], -2)
    mistakes = [(across, exchanged)]
    compare(result, lr, mistakes, "With an upscaler that changes nothing, the tiles should make up the image again.")


def _tiles_scaled(answer: Answer) -> None:
    lr = _map(8, 12)
    places = "What the upscaler gives is larger than what it got. In which pixels are the places in the result counted?"
    shape = "The result is as large as HR: h * scale by w * scale."
    result, _ = _tiled(answer, lambda piece: _repeat(piece, 3), lr, 3, 4, 0, places, shape)
    shifted = torch.zeros(1, 3, 24, 36)
    for y in (0, 4):
        for x in (0, 4, 8):
            shifted[..., y : y + 12, x : x + 12] = _repeat(lr[..., y : y + 4, x : x + 4], 3)
    filled_part = shifted != 0  # the rest is whatever was there before
    if not near(result, _repeat(lr, 3)) and near(result[filled_part], shifted[filled_part]):
        raise Wrong(f"The tiles lie on top of each other and a part of the result is empty. {places}")
    compare(result, _repeat(lr, 3), otherwise="Each pixel should become a block of 3x3, and stay in its place.")


def _tiles_rest(answer: Answer) -> None:
    lr, inner = _map(10, 15), (..., slice(16), slice(24))
    rest = (
        "An image of 10x15 pixels is not a whole number of tiles of 4. Smaller tiles are left at the right and at the "
        "bottom; what becomes of them?"
    )
    result, _ = _tiled(answer, lambda piece: _repeat(piece, 2), lr, 2, 4, 0, rest, rest)
    wanted = _repeat(lr, 2)
    if not near(result, wanted) and near(result[inner], wanted[inner]):
        raise Wrong(rest)
    compare(result, wanted, otherwise=rest)


def _tiles_core(answer: Answer) -> None:
    lr, wanted = _map(16, 20), _repeat(_map(16, 20), 2)
    kept = "With overlap=2 a piece comes back with its context around it. Only the tile itself belongs into the result."
    short = (
        "What is cut out of the piece that came back is smaller than the tile that it is for. With overlap=2 a piece "
        "has context on fewer sides at the border of the image, and a cut that is the same everywhere takes a part of "
        "the tile."
    )
    border = (
        "At the top and at the left of the image there is no context, so the tile begins at once; "
        "elsewhere it begins after the context. Your code cuts both alike."
    )
    unscaled = "The context is 2 LR pixels wide. How many pixels is that in what the upscaler gives back?"
    result, pieces = _tiled(answer, lambda piece: _repeat(piece, 2), lr, 2, 8, 2, kept, kept, short)
    if max(max(piece) for piece in pieces) > 12:
        height, width = max(pieces)
        raise Wrong(f"The upscaler was given {height}x{width} pixels: a tile of 8 with 2 on each side has at most 12.")
    if near(result, wanted):
        return
    first, later = (..., slice(8), slice(8)), (..., slice(16, 24), slice(16, 24))
    if near(result[later], wanted[later]) and not near(result[first], wanted[first]):
        raise Wrong(border)
    mistakes = [(kept, _repeat(lr[..., 6:10, 6:10], 2)), (unscaled, wanted[..., 14:22, 14:22])]
    if near(result[first], wanted[first]):
        for hint, value in mistakes:
            if near(result[later], value):
                raise Wrong(hint)
    raise Wrong("With context some tiles are not in their place any more. Where in its piece does a tile begin?")


# --- An upscaler that sees its neighbourhood shows what the context is for -------------------------------------

_RADIUS = 2


def _network(lr: torch.Tensor) -> torch.Tensor:
    """Two 3x3 convolutions that pad with zeros, then a pixel shuffle: x2, receptive radius 2."""
    features = F.relu(F.conv2d(lr, sample(6, 3, 3, 3, low=-1, seed=1), torch.full((6,), 0.5), padding=1))
    return F.pixel_shuffle(F.conv2d(features, sample(12, 6, 3, 3, low=-1, seed=2), padding=1), 2)


def _tiles_seamless(answer: Answer) -> None:
    lr, tile = sample(1, 3, 21, 26), 8
    kept = "A piece and its place differ in size once the upscaler is a network."
    result, pieces = _tiled(answer, _network, lr, 2, tile, _RADIUS, kept, kept)
    if near(result, _network(lr), 1e-3):
        return
    if near(result, upscale_tiled(_network, lr, 2, tile, 0), 1e-3):
        raise Wrong(
            "There are seams: each tile was upscaled without its neighbours, and the network padded where the image "
            "goes on. What is `overlap` used for in your code?"
        )
    wrong = ((result - _network(lr)).abs() > 1e-3).any(1)[0]
    rim = 2 * (_RADIUS + 1)  # no joint of tiles is as near to the border, in HR pixels
    if not wrong[rim:-rim, rim:-rim].any():
        raise Wrong(
            "The inside is right, the border of the image is not: something was padded there. The network pads on its "
            "own as it does for a whole image; how much context does a tile at the border need from you?"
        )
    if max(max(piece) for piece in pieces) < tile + 2 * _RADIUS:
        raise Wrong(
            f"There are seams. A tile of {tile} inside the image with {_RADIUS} pixels of context on all four sides "
            f"has {tile + 2 * _RADIUS} pixels a side, but the largest piece here had {max(pieces)}."
        )
    raise Wrong(
        "Every tile has its context, and still the joints are wrong. A piece is wrong near its own edges, so these "
        "have to be cut off before it is put in. Writing over a neighbour that is right, or averaging with it, keeps "
        "wrong pixels."
    )


def _tiles_wide(answer: Answer) -> None:
    lr, wide = sample(1, 3, 9, 7), "Here the context (5) is wider than a tile (2), and reaches beyond the image."
    result, _ = _tiled(answer, _network, lr, 2, 2, 5, wide, wide)
    compare(result, _network(lr), otherwise=wide, tolerance=1e-3)


def _tiles_fail(answer: Answer) -> None:
    calls = []

    def failing(piece: torch.Tensor) -> torch.Tensor:
        calls.append(piece)
        if len(calls) == 2:
            raise RuntimeError("CUDA out of memory")
        return _repeat(piece, 2)

    try:
        answer(failing, _map(8, 8), 2, 4, 0)
    except Exception:  # any will do: all that counts is that the caller hears of it
        return
    raise Wrong(
        "The upscaler failed on the second tile, and your code went on. The picture then has a hole or a wrong tile in "
        "it, and nobody knows: let the error through."
    )


EXERCISES = {
    "evaluation.upscale_tiled": Exercise(
        upscale_tiled,
        (
            ("tiles are cut and put together again", _tiles_pasted),
            ("places in the result are counted in HR pixels", _tiles_scaled),
            ("smaller tiles at the right and at the bottom", _tiles_rest),
            ("the context does not show in the result", _tiles_core),
            ("the same picture as from the whole image at once", _tiles_seamless),
            ("context that is wider than a tile", _tiles_wide),
            ("a failing upscaler is heard of", _tiles_fail),
        ),
        "hard",
        (
            "Go through the image in steps of `tile`. For each tile there are three rectangles: what the upscaler "
            "gets, the tile within what it gives back, and the place of the tile in the result. Draw them for a tile "
            "at the top left and for one in the middle.",
            "What the upscaler gets ends where the image ends: max(..., 0) and min(..., height) do that. The tile then "
            "begins (top - start) * scale pixels into what comes back.",
        ),
    ),
}
