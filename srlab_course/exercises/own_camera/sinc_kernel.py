"""Extra: the sinc filter of Real-ESRGAN, which leaves the ripples that sharpening and JPEG leave."""

import math
from typing import Any

import torch

from srlab_course.feedback.exercise import Answer, Exercise, filled


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
    middle, kernel = size // 2, kernel.double()
    around, beside = kernel.clone(), kernel[middle, middle + 1]
    around[middle, middle] = 0
    return {
        "the shape": shape,
        "weights that are not a number": int(kernel.isnan().sum()),
        "the weights around the middle, as shares of one of them": (around / beside).float(),
        "the weight in the middle": (kernel[middle, middle] / beside).item(),
        "the sum": kernel.sum().item(),
    }


EXERCISE = Exercise(
    sinc_kernel,
    level="easy",
    points=2,
    cases={"half of all frequencies": (math.pi / 2, 13), "a third, in a larger kernel": (math.pi / 3, 21)},
    observe=_observe,
)
