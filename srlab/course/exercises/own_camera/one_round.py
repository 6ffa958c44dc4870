"""Extra: one round of a random degradation: lens, sensor, noise and file, in the order of a camera."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.data.degradation import blur, gaussian_noise, jpeg

Draw = Callable[[str], float]
Stage = Callable[[torch.Tensor, Draw, torch.Generator], torch.Tensor]


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


def _blur(image: torch.Tensor, draw: Draw, _: torch.Generator) -> torch.Tensor:
    return blur(image, draw("blur"))


def _resize_to(side: Callable[[float], int] = round, **options: Any) -> Stage:
    options = {"mode": "bicubic", "antialias": True} | options

    def resize(image: torch.Tensor, draw: Draw, _: torch.Generator) -> torch.Tensor:
        factor = draw("factor")
        return F.interpolate(image, [side(factor * length) for length in image.shape[-2:]], **options)

    return resize


def _by_factor(image: torch.Tensor, draw: Draw, _: torch.Generator) -> torch.Tensor:
    return F.interpolate(image, scale_factor=draw("factor"), mode="bicubic", antialias=True)


def _noise(image: torch.Tensor, draw: Draw, generator: torch.Generator) -> torch.Tensor:
    return gaussian_noise(image, draw("noise"), generator)


def _noise_from(make: Callable[[], torch.Generator]) -> Stage:
    return lambda image, draw, _: gaussian_noise(image, draw("noise"), make())


def _dice(image: torch.Tensor, draw: Draw, _: torch.Generator) -> torch.Tensor:
    return image + draw("noise") * torch.randn_like(image)


def _jpeg(image: torch.Tensor, draw: Draw, _: torch.Generator) -> torch.Tensor:
    return jpeg(image, draw("quality"))


def _in_order(*stages: Stage) -> Answer:
    def answer(image: torch.Tensor, draw: Draw, generator: torch.Generator) -> torch.Tensor:
        for stage in stages:
            image = stage(image, draw, generator)
        return image

    return answer


def _with(changed: Stage, place: int) -> Answer:
    stages: Sequence[Stage] = [_blur, _resize_to(), _noise, _jpeg]
    return _in_order(*stages[:place], changed, *stages[place + 1 :])


_SIZES = "Each side of the result is round(factor * side), and the image must fill it from edge to edge."

EXERCISE = Exercise(
    one_round,
    level="medium",
    points=4,
    cases={
        "lens and sensor": (_image(), {"blur": 1.5, "factor": 0.55, "noise": 0.02, "quality": 95.0}),
        "a larger image, and a small file": (_image(), {"blur": 0.8, "factor": 1.17, "noise": 0.03, "quality": 40.0}),
    },
    observe=_observe,
    known_mistakes={
        "Light goes through the lens before it reaches the pixels of the sensor. Which of the two is the blur?": [
            _in_order(_resize_to(), _blur, _noise, _jpeg),
            _in_order(_resize_to(), _noise, _blur, _jpeg),
        ],
        "Your noise is added before the image is resized or blurred, which averages much of it away. Where in a camera "
        "does it come from?": [
            _in_order(_blur, _noise, _resize_to(), _jpeg),
            _in_order(_noise, _blur, _resize_to(), _jpeg),
            _in_order(_noise, _resize_to(), _blur, _jpeg),
        ],
        "JPEG is how the finished image is saved, but you change the image after that.": [
            _in_order(_blur, _resize_to(), _jpeg, _noise),
            _in_order(_blur, _jpeg, _resize_to(), _noise),
            _in_order(_jpeg, _blur, _resize_to(), _noise),
            _in_order(_blur, _jpeg, _noise, _resize_to()),
        ],
        "You resize without antialiasing. Lab 00 shows the false patterns that it leaves; a sensor averages over its "
        "pixels.": [
            _with(_resize_to(antialias=False), 1),
            _with(_resize_to(mode="nearest", antialias=False), 1),
            _with(_resize_to(mode="area", antialias=False), 1),
        ],
        _SIZES: [
            _with(_resize_to(int), 1),
            _with(_by_factor, 1),
            _with(_resize_to(lambda side: int(side) + 1), 1),
        ],
        "Two runs with the same seed have different noise, so you can't repeat a run. Which generator does your noise "
        "use?": _with(_dice, 2),
        "Your noise is the same in each call. Draw it from the generator that you are given.": _with(
            _noise_from(lambda: torch.Generator().manual_seed(0)), 2
        ),
        "A stage is missing: you don't draw its strength.": [
            _in_order(*stages)
            for stages in (
                (_resize_to(), _noise, _jpeg),
                (_blur, _resize_to(), _jpeg),
                (_blur, _resize_to(), _noise),
            )
        ],
    },
    also_accepted=[
        _in_order(_blur, _resize_to(), _noise, lambda image, draw, _: jpeg(image.clamp(0, 1), draw("quality"))),
    ],
    fallback_messages={
        "the strengths that you draw": "You draw {given}. Draw each of the four strengths once per call.",
        "the size": _SIZES,
    },
    reveal=False,
    hints=(
        "Follow the light: lens, sensor, amplifier, file. Which stage belongs to which?",
        'The noise is one LR pixel wide in a camera, and JPEG comes last. F.interpolate(image, size, mode="bicubic", '
        "antialias=True) resizes.",
    ),
)
