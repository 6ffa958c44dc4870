"""Lab 01: the pixel shuffle."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from srlab.course.exercise import Answer, Exercise, filled, sample


def pixel_shuffle(x: torch.Tensor, scale: int) -> torch.Tensor:
    """Rearrange groups of channels into blocks of pixels, like `torch.nn.functional.pixel_shuffle`.

    Parameters
    ----------
    x
        ``(N, C * scale**2, h, w)``.
    scale
        Side of a block in pixels.

    Returns
    -------
    torch.Tensor
        ``(N, C, h * scale, w * scale)``.
    """
    count, channels, height, width = x.shape
    x = x.reshape(count, channels // scale**2, scale, scale, height, width)
    x = x.permute(0, 1, 4, 2, 5, 3)  # (N, C, h, row in the block, w, column in the block)
    return x.reshape(count, channels // scale**2, height * scale, width * scale)


def _into(colors: Callable[[int, int], int]) -> Answer:
    """Return a shuffle with a different number of colors, computed from the number of channels and the scale."""

    def shuffle(x: torch.Tensor, scale: int) -> torch.Tensor:
        count, channels, height, width = x.shape
        kept = colors(channels, scale)
        x = x.reshape(count, kept, scale, scale, height, width).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(count, kept, height * scale, width * scale)

    return shuffle


def _shuffle(split: str, order: tuple[int, ...]) -> Answer:
    """Return a shuffle that splits the channels into c(olors) and two r (rows, columns), and permutes the axes."""

    def shuffle(x: torch.Tensor, scale: int) -> torch.Tensor:
        count, channels, height, width = x.shape
        sizes = {"c": channels // scale**2, "r": scale}
        moved = x.reshape(count, *(sizes[axis] for axis in split), height, width).permute(order)
        return moved.reshape(count, -1, height * scale, width * scale)

    return shuffle


class _Names(TorchFunctionMode):
    """Records the names of the torch functions that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.called: set[str] = set()

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.called.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


def _observe(answer: Answer, x: torch.Tensor, scale: int) -> dict[str, Any]:
    with _Names() as names:
        result = filled(answer(x, scale))
    return {f"scale {scale}": result, "PyTorch's own pixel shuffle": "pixel_shuffle" in names.called}


EXERCISE = Exercise(
    pixel_shuffle,
    level="medium",
    points=3,
    cases={"scale 2": (sample(2, 8, 6, 12), 2), "scale 3": (sample(2, 36, 6, 12), 3)},
    observe=_observe,
    known_mistakes={
        "You went the other way, from a large image to many channels.": F.pixel_unshuffle,
        "A number in your code makes it correct for some sizes only. Is there a 2 or a 4 where you need `scale` or "
        "scale**2, or a 3 where you need c // scale**2?": [
            lambda x, scale: pixel_shuffle(x, 2),
            lambda x, scale: pixel_shuffle(x, 4),
            _into(lambda channels, scale: channels // 4),
            _into(lambda channels, scale: 3),
        ],
        "The number of channels should go down by scale^2, and height and width should go up by scale.": [
            lambda x, scale: F.interpolate(x, scale_factor=scale),
            lambda x, scale: pixel_shuffle(x, scale).flatten(2),
        ],
        "Each block of sub-pixels is mirrored along its diagonal. The first of the two scale axes counts rows. Which "
        "axis should it be next to?": _shuffle("crr", (0, 1, 4, 3, 5, 2)),
        "The shape is correct, but the values keep their old order, so neighbors in the result come from far apart. A "
        "reshape moves nothing. Which step reorders the axes?": _shuffle("crr", (0, 1, 2, 3, 4, 5)),
        "Your result shows small copies of the image side by side. Within a row, the sub-pixels of one LR pixel should "
        "be neighbors. Which axis runs faster?": _shuffle("crr", (0, 1, 2, 4, 3, 5)),
        "The sub-pixels end up in the wrong channels. In PyTorch's order, the scale^2 channels of one color are "
        "consecutive.": _shuffle("rrc", (0, 3, 4, 1, 5, 2)),
    },
    also_accepted=[_shuffle("crr", (0, 1, 4, 2, 5, 3))],
    notes={
        "This is PyTorch's own pixel shuffle, which is correct, of course. The exercise is about reshape and permute, "
        "which show how it works. Try them, too.": F.pixel_shuffle
    },
    hints=(
        "Four channels of one LR pixel become a block of 2x2 pixels, row by row. Try it on a 1x1 image first.",
        "When you merge two neighboring axes, the second one runs faster. Row i of the block that replaces LR row h "
        "becomes row h * scale + i. Which of the two axes comes first?",
    ),
)
