"""Lab 01: the pixel shuffle."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from srlab_course.feedback.exercise import Answer, Exercise, filled, sample


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
)
