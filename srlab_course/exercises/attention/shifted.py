"""Extra on attention, find the bug: windows that are shifted, and shifted back."""

from collections.abc import Callable
from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, filled, sample

Attention = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def shifted(x: torch.Tensor, attention: Attention, shift: int) -> torch.Tensor:
    """Apply window attention in windows that begin `shift` pixels further down and to the right (Liu et al. 2021).

    Parameters
    ----------
    x
        ``(N, h, w, features)``.
    attention
        ``attention(x, places)``, which cuts both into windows. A pixel uses only pixels of its window whose places are
        less than a window apart from its own.
    shift
        Pixels, less than the side of a window.

    Returns
    -------
    torch.Tensor
        ``(N, h, w, features)``.
    """
    height, width = x.shape[1:3]
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).reshape(1, height, width, 2)
    x = x.roll((-shift, -shift), (1, 2))
    places = places.roll((-shift, -shift), (1, 2))
    return attention(x, places).roll((shift, shift), (1, 2))


SIZE = 4  # side of the windows in the cases


def _windows(x: torch.Tensor) -> torch.Tensor:
    n, height, width, features = x.shape
    blocks = x.reshape(n, height // SIZE, SIZE, width // SIZE, SIZE, features)
    return blocks.transpose(2, 3).reshape(-1, SIZE**2, features)


def _average(x: torch.Tensor, places: torch.Tensor | None) -> torch.Tensor:
    """Replace each pixel with the mean of its window, leaving out pixels whose places are not near."""
    n, height, width, features = x.shape
    windows, near = _windows(x), torch.ones(1, SIZE**2, SIZE**2, dtype=torch.bool)
    if places is not None:
        # A batch of places is as good as one, and so is one without an axis for the batch.
        at = _windows(places.reshape(-1, height, width, 2).to(x))
        near = ((at[:, :, None] - at[:, None]).abs() < SIZE).all(-1)
    weights = near.repeat(len(windows) // len(near), 1, 1).to(x)
    means = weights / weights.sum(-1, keepdim=True) @ windows
    blocks = means.reshape(n, height // SIZE, width // SIZE, SIZE, SIZE, features)
    return blocks.transpose(2, 3).reshape(x.shape)


def _observe(answer: Answer, x: torch.Tensor, shift: int) -> dict[str, Any]:
    calls = []

    def attention(x: torch.Tensor, places: torch.Tensor | None = None) -> torch.Tensor:
        calls.append(x)
        return _average(x, places)

    result = filled(answer(x, attention, shift))
    shape = str(tuple(getattr(result, "shape", ())))
    if shape != str(tuple(x.shape)):
        return {"the shape": shape}
    found = {"the shape": shape, "calls of attention": len(calls)}
    if len(calls) != 1:
        return found
    calls.clear()
    places = torch.stack(torch.meshgrid(*map(torch.arange, x.shape[:3]), indexing="ij"), -1).to(x)
    through = answer(places, lambda x, places=None: calls.append(x) or x, shift)
    first = "image {}, row {}, column {}".format(*calls[0].flatten()[:3].int().tolist())
    across = x.clone()  # changed at the right and bottom edges
    across[0, :, -1] += 1
    across[0, -1] += 1
    change = (answer(across, attention, shift) - result)[0].abs()
    seen = max(change[: SIZE - shift, 0].max(), change[0, : SIZE - shift].max()).item() > 1e-6
    return found | {
        "the first pixel that attention gets": first,
        "each pixel is back in its place": torch.equal(through, places),
        "an edge sees the opposite edge": seen,
        "the result": result.detach(),
    }


EXERCISE = Exercise(
    shifted,
    level="medium",
    points=4,
    cases={
        "windows of 4 by 4, shifted by 2": (sample(3, 12, 16, 3, seed=1), 2),
        "shifted by 1": (sample(3, 8, 12, 2, seed=2), 1),
        "not shifted": (sample(2, 8, 8, 2, seed=3), 0),
    },
    observe=_observe,
    reveal=False,
)
