"""Extra: one round of a random degradation: lens, sensor, noise and file, in the order of a camera."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.data.degradation import blur, gaussian_noise, jpeg
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample

Draw = Callable[[str], float]


def one_round(image: torch.Tensor, draw: Draw, generator: torch.Generator) -> torch.Tensor:
    """Degrade an image once, as a camera does: blur, resize, noise, JPEG.

    Parameters
    ----------
    image
        ``(1, 3, h, w)`` in [0, 1].
    draw
        Function that returns a new random strength: ``"blur"``, ``"factor"``, ``"noise"`` or ``"quality"``.
    generator
        Source of the noise.

    Returns
    -------
    torch.Tensor
        ``(1, 3, round(factor * h), round(factor * w))`` in [0, 1].
    """
    image = blur(image, draw("blur"))
    factor = draw("factor")
    size = [round(factor * side) for side in image.shape[-2:]]
    image = F.interpolate(image, size, mode="bicubic", antialias=True)
    image = gaussian_noise(image, draw("noise"), generator)
    return jpeg(image, draw("quality"))


def _image() -> torch.Tensor:
    """Return an image with edges and fine detail, in the middle of the range, where nothing is clipped."""
    coarse = sample(1, 3, 9, 11, low=0.35, high=0.65, seed=3).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return coarse + sample(*coarse.shape, low=-0.05, high=0.05, seed=4)


def _observe(answer: Answer, image: torch.Tensor, strengths: dict[str, float]) -> dict[str, Any]:
    drawn = []

    def draw(name: str) -> float:
        if name not in strengths:
            raise IncorrectAnswer(f"There is no strength '{name}'. Use {', '.join(strengths)}.")
        drawn.append(name)
        return strengths[name]

    def result(seed: int) -> torch.Tensor:
        return filled(answer(image, draw, torch.Generator().manual_seed(seed))).detach()

    first, names = result(1), sorted(drawn)
    again, other = result(1), result(2)
    return {
        "the strengths that you draw": names,
        "the size": list(first.shape[-2:]),
        "equal for equal seeds": torch.equal(first, again),
        "different for different seeds": not torch.equal(first, other),
        "the image": first,
    }


EXERCISE = Exercise(
    one_round,
    level="medium",
    points=4,
    cases={
        "lens and sensor": (_image(), {"blur": 1.5, "factor": 0.55, "noise": 0.02, "quality": 95.0}),
        "a larger image, and a small file": (_image(), {"blur": 0.8, "factor": 1.17, "noise": 0.03, "quality": 40.0}),
    },
    observe=_observe,
    reveal=False,
)
