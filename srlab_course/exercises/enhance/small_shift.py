"""Lab 08: how far an image has moved, by least squares (Lucas and Kanade 1981)."""

import math
from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, filled
from srlab_course.feedback.value_comparison import take


def small_shift(moved: torch.Tensor, still: torch.Tensor) -> torch.Tensor:
    """Return the shift of an image that explains best how it differs from another one.

    Parameters
    ----------
    moved, still
        ``(h, w)``, two smooth images of one scene.

    Returns
    -------
    torch.Tensor
        ``(2,)``, how far down and to the right `moved` is, in pixels; right for shifts well below the size of details.
    """
    down, right = torch.gradient(still)
    slopes = torch.stack([down.flatten(), right.flatten()], dim=1)
    change = (moved - still).flatten()
    return -torch.linalg.lstsq(slopes, change[:, None]).solution[:, 0]


def _scene(down: float, right: float, height: int = 48, width: int = 64) -> torch.Tensor:
    """Return a smooth scene, moved; its waves are oblique, so each direction needs the other one."""
    rows, columns = torch.arange(height)[:, None] - down, torch.arange(width) - right
    waves = ((0.010, 0.021, 0.3), (-0.016, 0.012, 1.1), (0.019, 0.017, 2.0))
    return 0.5 + sum(0.15 * torch.sin(2 * math.pi * (a * rows + b * columns) + c) for a, b, c in waves)


def _observe(answer: Answer, moved: torch.Tensor, still: torch.Tensor) -> dict[str, Any]:
    return {"the shift": take(filled(answer(moved, still)), torch.zeros(2))}


EXERCISE = Exercise(
    small_shift,
    level="medium",
    points=5,
    observe=_observe,
    cases={
        "down and to the left": (_scene(0.3, -0.2), _scene(0.0, 0.0)),
        "only to the right": (_scene(0.0, 0.25), _scene(0.0, 0.0)),
        "a darker exposure of another place": (0.5 * _scene(4.8, 7.3), 0.5 * _scene(5.0, 7.0)),
    },
    tolerance=0.02,
    reveal=False,
)
