"""Extra: the sinc filter of Real-ESRGAN, which leaves the ripples that sharpening and JPEG leave."""

import math
from collections.abc import Callable
from typing import Any

import torch

from srlab.course.exercise import Answer, Exercise, filled


def sinc_kernel(cutoff: float, size: int) -> torch.Tensor:
    """Return the kernel of an ideal low-pass filter (Wang et al. 2021, section 3.3).

    Parameters
    ----------
    cutoff
        Highest frequency that passes, in radians per pixel, from 0 to pi.
    size
        Side of the kernel, odd.

    Returns
    -------
    torch.Tensor
        ``(size, size)``, with sum 1.
    """
    axis = torch.arange(size) - size // 2
    distance = (axis[:, None] ** 2 + axis**2).sqrt()
    kernel = cutoff * torch.special.bessel_j1(cutoff * distance) / (2 * math.pi * distance)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return kernel / kernel.sum()


def _observe(answer: Answer, cutoff: float, size: int) -> dict[str, Any]:
    kernel = filled(answer(cutoff, size))
    shape = list(getattr(kernel, "shape", ()))
    if shape != [size, size]:
        return {"the shape": shape}
    kernel = kernel.double()
    return {
        "the shape": shape,
        "weights that are not a number": int(kernel.isnan().sum()),
        "the sum": kernel.sum().item(),
        "the weights": kernel.float(),
    }


def _kernel(
    center: Callable[[float], float] | None = lambda cutoff: cutoff**2 / (4 * math.pi),
    normalized: bool = True,
    offset: Callable[[int], float] = lambda size: size // 2,
    angular: float = 1.0,
    bessel: Callable[[torch.Tensor], torch.Tensor] = torch.special.bessel_j1,
) -> Answer:
    """Return an answer with its parts right or wrong; `center` is the weight in the middle, None for 0 / 0."""

    def answer(cutoff: float, size: int) -> torch.Tensor:
        cutoff = cutoff * angular
        axis = torch.arange(size) - offset(size)
        distance = (axis[:, None] ** 2 + axis**2).sqrt()
        kernel = cutoff * bessel(cutoff * distance) / (2 * math.pi * distance)
        if center:
            kernel[size // 2, size // 2] = center(cutoff)
        return kernel / kernel.sum() if normalized else kernel

    return answer


def _rows_and_columns(cutoff: float, size: int) -> torch.Tensor:
    row = torch.sinc(cutoff / math.pi * (torch.arange(size) - size // 2))
    return row[:, None] * row / row.sum() ** 2


EXERCISE = Exercise(
    sinc_kernel,
    level="easy",
    points=2,
    cases={"half of all frequencies": (math.pi / 2, 13), "a third, in a larger kernel": (math.pi / 3, 21)},
    observe=_observe,
    known_mistakes={
        "The middle is 0 / 0. Which value does the weight approach as the distance goes to 0? Close to 0, J1(x) is "
        "x / 2.": [_kernel(center=None), _kernel(center=None, normalized=False)],
        "The weight in the middle is wrong. Close to 0, J1(x) is x / 2. Put that into the formula.": [
            _kernel(center=wrong, normalized=normalized)
            for normalized in (True, False)
            for wrong in (
                lambda cutoff: 0.0,
                lambda cutoff: 1.0,
                lambda cutoff: cutoff / 2,
                lambda cutoff: cutoff / (2 * math.pi),
                lambda cutoff: cutoff / (4 * math.pi),
                lambda cutoff: cutoff**2 / (2 * math.pi),
            )
        ],
        "Your weights don't add up to 1, so a gray image would change its gray. The formula is for an endless kernel, "
        "and yours ends.": _kernel(normalized=False),
        "The peak isn't in the middle pixel, so the filter shifts the image.": [
            _kernel(center=None, offset=lambda size: size / 2),
            _kernel(center=None, offset=lambda size: (size - 2) / 2),
        ],
        "`cutoff` is in radians per pixel already.": [_kernel(angular=math.pi), _kernel(angular=2 * math.pi)],
        "That's J0. The formula has J1, torch.special.bessel_j1.": _kernel(bessel=torch.special.bessel_j0),
        "You filter rows and columns separately, so finer waves pass along the diagonals. The weight depends on the "
        "distance from the middle only.": _rows_and_columns,
    },
    also_accepted=[_kernel()],
    fallback_messages={"the shape": "The kernel has the shape {given}, but must be size by size."},
    hints=(
        "Make a map of the distances from the middle pixel, size by size, and put it into the formula. Where does the "
        "formula fail?",
        "Set the middle pixel to the limit of the formula afterwards, and at the end divide by the sum.",
    ),
)
