"""Extra on shipping a network, find the bug: from the pixels of a photo to the network's numbers, and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled


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


EXERCISE = Exercise(
    upscale_pixels,
    level="medium",
    points=3,
    observe=_observe,
    cases={"a photo": (_network, _photo(0)), "another photo": (_network, _photo(1))},
)
