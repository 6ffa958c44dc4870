"""Extra on attention, find the bug: windows that are shifted, and shifted back."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, filled, sample

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
    through = answer(x, lambda x, places=None: x, shift)
    found["each pixel is back in its place"] = torch.equal(through, x)
    other = x.clone()
    other[1] += 1
    found["the first image depends on the second"] = not torch.allclose(answer(other, attention, shift)[0], result[0])
    for edge, where in {"left": (slice(None), 0), "top": (0, slice(None))}.items():
        across = x.clone()
        across[0][{"left": (slice(None), -1), "top": (-1, slice(None))}[edge]] += 1
        seen = not torch.allclose(answer(across, attention, shift)[0][where], result[0][where])
        found[f"the {edge} edge sees the opposite edge"] = seen
    return found | {"the result": result.detach()}


def _shifted(
    axes: tuple[int, int] = (1, 2), moved: bool = True, back: int = 1, forth: int = -1, given: bool = True
) -> Answer:
    """Return an answer with the bugs of the notebook in or out.

    `moved` is whether the places are rolled, too, and `given` whether attention gets them. `forth` and `back` are the
    factors on the shift before and after it.
    """

    def answer(x: torch.Tensor, attention: Attention, shift: int) -> torch.Tensor:
        height, width = x.shape[1:3]
        places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).reshape(1, height, width, 2)
        x = x.roll((forth * shift, forth * shift), axes)
        if moved:
            places = places.roll((forth * shift, forth * shift), (1, 2))
        return attention(x, places if given else None).roll((back * shift, back * shift), axes)

    return answer


def _places_along(x: torch.Tensor, attention: Attention, shift: int) -> torch.Tensor:
    """Roll features and places as one tensor."""
    n, height, width, features = x.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns], -1).expand(n, -1, -1, -1)
    both = torch.cat([x, places.to(x)], -1).roll((-shift, -shift), (1, 2))
    return attention(both[..., :features], both[..., features:].round().long()).roll((shift, shift), (1, 2))


def _unshifted(x: torch.Tensor, attention: Attention, shift: int) -> torch.Tensor:
    return shifted(x, attention, 0)


BATCH = "The first image of a batch depends on the second. Which axes of (N, h, w, features) does your roll move?"
EDGES = (
    "Opposite edges of the image see each other. After the roll they are in one window, but the places that you pass "
    "show them where they don't belong. What happened to the pixels that didn't happen to the places?"
)
BACK = "The result isn't where it belongs: each pixel should return to its place. Where does your last roll move it?"

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
    known_mistakes={
        BACK: [
            _shifted(axes=axes, moved=moved, back=back)
            for axes in ((1, 2), (0, 1))
            for moved in (True, False)
            for back in (-1, 0)
        ],
        BATCH: [_shifted(axes=(0, 1)), _shifted(axes=(0, 1), moved=False)],
        EDGES: [_shifted(moved=False), _shifted(given=False), _shifted(moved=False, forth=1, back=-1)],
        "Your windows begin further up and to the left. Which sign moves row `shift` to the top?": [
            _shifted(forth=1, back=-1),
        ],
        "You don't shift the windows.": _unshifted,
    },
    also_accepted=[_shifted(), _places_along],
    fallback_messages={
        "the shape": "The result has the shape {given}. It should be that of x.",
        "calls of attention": "attention should run once, but ran {given} times.",
        "each pixel is back in its place": BACK,
        "the first image depends on the second": BATCH,
        "the left edge sees the opposite edge": EDGES,
        "the top edge sees the opposite edge": EDGES,
    },
    reveal=False,
    hints=(
        "Try an attention that does nothing, lambda x, places: x. Does x come back? Then change one image of a batch, "
        "and one edge of an image, and look where the result changes.",
        "Roll the axes 1 and 2, which are h and w, of x and of the places. At the end, roll the result back.",
    ),
)
