"""Extra on shipping a network, find the bug: from the pixels of a photo to the network's numbers, and back."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled


def upscale_pixels(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Upscale the pixels of a photo with an exported network.

    Parameters
    ----------
    run
        Network: ``(1, 3, h, w)``, float32, RGB in [0, 1], to ``(1, 3, scale * h, scale * w)``, which may exceed [0, 1].
    pixels
        ``(h, w, 3)``, uint8, RGB.

    Returns
    -------
    numpy.ndarray
        ``(scale * h, scale * w, 3)``, uint8, RGB.
    """
    lr = pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255
    sr = run(lr)[0].transpose(1, 2, 0)
    return np.round(255 * sr.clip(0, 1)).astype(np.uint8)


def _network(lr: np.ndarray) -> np.ndarray:
    """Upscale x2 by repeating pixels, with more contrast than [0, 1] has room for, different in each channel."""
    gain, shift = np.array([[1.31, 1.13, 1.27], [-0.203, 0.003, -0.103]], np.float32)[:, :, None, None]
    return lr.repeat(2, axis=2).repeat(2, axis=3) * gain + shift


def _photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)


def _observe(answer: Answer, run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> dict[str, Any]:
    inputs: list[np.ndarray] = []
    before = pixels.copy()

    def watched(lr: np.ndarray) -> np.ndarray:
        if not isinstance(lr, np.ndarray):
            raise IncorrectAnswer("Pass the network a NumPy array: on the other machine there is no PyTorch.")
        if lr.ndim != 4 or lr.shape[1] != 3:
            raise IncorrectAnswer(
                f"The network got the shape {lr.shape}. It needs (1, 3, h, w): a batch of one image, channels first."
            )
        inputs.append(lr)
        return run(lr)

    result = filled(answer(watched, pixels))
    if not (pixels == before).all():
        raise IncorrectAnswer(
            "You changed `pixels` in place. Later code would get the changed photo. Make a new array."
        )
    if not isinstance(result, np.ndarray):
        raise IncorrectAnswer("Return a NumPy array.")
    return {
        "calls of the network": len(inputs),
        "the type of the network's input": str(inputs[0].dtype) if inputs else "none",
        "the network's input": torch.from_numpy(inputs[0].astype(np.float64)) if inputs else "",
        "the type of the result": str(result.dtype),
        "the result": torch.from_numpy(result.astype(np.float64)),
    }


def _variant(
    flip: str = "",
    clip: bool = True,
    to_levels: Callable[[np.ndarray], np.ndarray] = np.round,
    divisor: float = 255,
    dtype: type = np.float32,
    arrange: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels.transpose(2, 0, 1),
    back: tuple[int, int, int] = (1, 2, 0),
) -> Answer:
    """Return the function with its parts correct or wrong; `flip` names the sides where the channels are reversed."""

    def answer(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
        pixels = pixels[..., ::-1] if "in" in flip else pixels
        sr = run((arrange(pixels)[None] / divisor).astype(dtype))[0].transpose(back)
        sr = sr[..., ::-1] if "out" in flip else sr
        levels = to_levels(255 * (sr.clip(0, 1) if clip else sr))
        return levels.astype(np.int64).astype(np.uint8)  # beyond 255, counting begins again at 0

    return answer


def _late_clip(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    return _variant(clip=False)(run, pixels).clip(0, 255)


def _own_range(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    sr = run(_input(pixels))[0].transpose(1, 2, 0)
    return np.round(255 * (sr - sr.min()) / (sr.max() - sr.min())).astype(np.uint8)


def _input(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255


def _levels_clipped(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    return (255 * run(_input(pixels))[0] + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


EXERCISE = Exercise(
    upscale_pixels,
    level="medium",
    points=3,
    observe=_observe,
    cases={"a photo": (_network, _photo(0)), "another photo": (_network, _photo(1))},
    known_mistakes={
        "The network gets blue where it learned red. Code that reads photos with OpenCV reverses the channels, because "
        "OpenCV stores BGR. In which order does Pillow give them?": [
            _variant(flip, clip, to_levels)
            for flip, clip, to_levels in product(("in, out", "in"), (True, False), (np.round, np.trunc))
        ],
        "The network's input is correct, but you still reverse the channels of its output.": [
            _variant("out", clip, to_levels) for clip, to_levels in product((True, False), (np.round, np.trunc))
        ],
        "The network's input is correct. Its output isn't limited to [0, 1]: which level does uint8 make of 256, and "
        "of -1? And which one of 127.9?": _variant(clip=False, to_levels=np.trunc),
        "You round, but some pixels wrap around: the network's output isn't limited to [0, 1], and uint8 makes 0 of "
        "256.": [_variant(clip=False), _late_clip],
        "The specks are gone. But astype cuts off the decimals: 127.9 becomes 127, and the photo gets darker by half a "
        "level.": _variant(to_levels=np.trunc),
        "You stretched the output to [0, 1]. That changes the contrast of each photo by another amount. Values outside "
        "should become the nearest valid one.": _own_range,
        "The network expects values from 0 to 1, but you passed levels from 0 to 255.": _variant(divisor=1),
        "255 is white, so white must become 1. With 256 the photo gets darker.": _variant(divisor=256),
        "onnxruntime accepts only the type of the exported input, float32. Dividing a uint8 array gives float64.": [
            _variant(dtype=np.float64),
            _variant(dtype=np.float64, clip=False, to_levels=np.trunc),
        ],
        "reshape doesn't move the channels to the front, it only cuts the same row of numbers differently. Which "
        "function reorders axes?": _variant(arrange=lambda pixels: pixels.reshape(3, *pixels.shape[:2])),
        "Rows and columns are swapped: the network gets the photo lying on its side.": [
            _variant(arrange=lambda pixels: pixels.transpose(2, 1, 0), back=back) for back in ((1, 2, 0), (2, 1, 0))
        ],
        "The result lies on its side: rows and columns are swapped on the way back.": _variant(back=(2, 1, 0)),
    },
    also_accepted=[_variant(), _levels_clipped],
    fallback_messages={
        "calls of the network": "Run the network once; you ran it {given} times.",
        "the network's input": "The network's input isn't the photo, RGB in [0, 1].",
        "the type of the result": "The result has the type {given}, but an image file needs uint8.",
    },
    hints=(
        "Follow a pixel for which the network predicts 0.999 through the function, and then one with 1.004. The third "
        "mistake is about color: what's in pixels[..., 0]?",
        "Pillow gives RGB. Before astype(np.uint8) the values must be whole numbers from 0 to 255.",
    ),
)
