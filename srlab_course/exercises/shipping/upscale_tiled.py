"""Extra on shipping a network: upscaling in tiles."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab_course.feedback.value_comparison import take

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


class _Writes(TorchFunctionMode):
    """Inside a block, note the sizes if a piece is written into a place of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.misfit = ""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        try:
            return function(*args, **kwargs or {})
        except RuntimeError:
            if function is torch.Tensor.__setitem__:
                whole, index, piece = args
                self.misfit = " into ".join(" x ".join(map(str, part.shape[-2:])) for part in (piece, whole[index]))
            raise


def _observe(
    answer: Answer, upscaler: Upscaler, lr: torch.Tensor, scale: int, tile: int, overlap: int
) -> dict[str, Any]:
    sides, writes, whole = [0], _Writes(), upscaler(lr) if upscaler is not _fails else lr

    def watched(lr: torch.Tensor) -> torch.Tensor:
        if 0 in lr.shape:
            raise IncorrectAnswer(
                "You passed the upscaler an empty piece. Either a slice starts at a negative number, which counts from "
                "the end (what is `top - overlap` at the border?), or it starts beyond the end (images are (1, 3, h, "
                "w): rows first)."
            )
        sides.extend(lr.shape[-2:])
        return upscaler(lr)

    try:
        with writes:
            result = filled(answer(watched, lr, scale, tile, overlap))
    except Exception:
        if upscaler is _fails:  # any exception will do, as long as the caller gets one
            return {"the error reaches the caller": True}
        if not writes.misfit:
            raise
        result = None
    if upscaler is _fails:
        return {"the error reaches the caller": False}
    found = {
        "called": max(sides) > 0,
        "small": max(sides) <= tile + 2 * overlap,
        "sizes of a piece and its place": writes.misfit,
        "the shape": str(tuple(getattr(result, "shape", ()))),
    }
    if found["the shape"] != str(tuple(whole.shape)):
        return found
    wrong = ~((take(result, whole) - whole).abs() < 1e-3).all(1)[0]
    inside, rim, first = wrong.clone(), 6, ""  # rim in HR pixels, where padding shows, but no tiles meet
    inside[: lr.shape[-2] // tile * tile * scale, : lr.shape[-1] // tile * tile * scale] = False
    found["the smaller tiles"] = not (wrong.any() and inside.equal(wrong))
    if upscaler is _network:
        found["the image border"] = not wrong.any() or bool(wrong[rim:-rim, rim:-rim].any())
        found["the side of the largest piece"] = str(max(sides) if wrong.any() else tile + 2 * overlap)
        return found | {"the joints between tiles": not wrong.any()}
    if wrong.any():
        row, column = wrong.nonzero()[0].tolist()
        y, x, both = result[0, :, row, column].round().int().tolist()
        shown = f"shows ({y - 1}, {x - 1}) of LR" if y > 0 and both == y + x else "has numbers that LR doesn't have,"
        first = f"({row}, {column}) {shown} instead of ({row // scale}, {column // scale})"
    return found | {"the first wrong pixel": first}


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
)
