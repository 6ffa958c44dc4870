"""Lab 05: LR consistency, or whether SR still shows what LR showed."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.decibels import Formula, decibels, mistakes_of
from srlab.data.images import luma, quantize
from srlab.data.resampling import resize

Shrink = Callable[[torch.Tensor], torch.Tensor]


def lr_consistency(sr: torch.Tensor, lr: torch.Tensor, shrink: Shrink) -> torch.Tensor:
    """Return the PSNR of downscaled SR against LR.

    SR is rounded to the 8-bit levels of a file and downscaled as LR was. All pixels of all three channels count.

    Parameters
    ----------
    sr
        ``(1, 3, H, W)`` in [0, 1].
    lr
        ``(1, 3, h, w)``, the image that SR was made from.
    shrink
        Function that downscales a large image to an LR image, rounded to 8 bits.

    Returns
    -------
    torch.Tensor
        ``()``, decibels.
    """
    again = shrink(quantize(sr))
    return -10 * (again - lr).square().mean().log10()


def _strict(scale: int, kernel: str) -> Shrink:
    """Return a way to downscale that raises `IncorrectAnswer` for an image that is already small."""

    def shrink(image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] != 12 * scale:
            raise IncorrectAnswer(
                f"You passed `shrink` an image of {image.shape[-1]}x{image.shape[-2]} pixels. Which of the two images "
                "is large?"
            )
        return quantize(resize(image, 1 / scale, kernel))

    return shrink


def _scene(scale: int, kernel: str, strength: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, Shrink]:
    """Return SR between 8-bit levels, LR of a slightly different photo (mostly at the border), and `shrink`."""
    hr = sample(1, 3, 10 * scale, 12 * scale, low=0.25, high=0.75, seed=seed)
    wrong = strength * sample(1, 3, 10, 12, low=-1, seed=seed + 1)
    wrong[..., :1, :] *= 3
    wrong[..., -1:] *= 4
    wrong = wrong * torch.tensor([1.0, 0.5, -1.5]).view(3, 1, 1)
    shrink = _strict(scale, kernel)
    return hr + F.interpolate(wrong, scale_factor=float(scale)), shrink(quantize(hr)), shrink


def _agreeing(scale: int, kernel: str, seed: int) -> tuple[torch.Tensor, torch.Tensor, Shrink]:
    """Return SR, the LR that it downscales to, and `shrink`; the score is infinite."""
    sr, shrink = sample(1, 3, 10 * scale, 12 * scale, low=0.25, high=0.75, seed=seed), _strict(scale, kernel)
    return sr, shrink(quantize(sr)), shrink


def _observe(answer: Answer, sr: torch.Tensor, lr: torch.Tensor, shrink: Shrink) -> dict[str, Any]:
    return {"the score in dB": filled(answer(sr, lr, shrink))}


def _decibels(error: torch.Tensor) -> torch.Tensor:
    return decibels(error.flatten())


def _then(formula: Formula) -> Answer:
    """Return an answer that applies a different formula to the correct errors."""
    return lambda sr, lr, shrink: formula((shrink(quantize(sr)) - lr).flatten())


def _on(plane: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
    """Return an answer that scores something other than all pixels of all channels."""
    return lambda sr, lr, shrink: _decibels(plane(shrink(quantize(sr))) - plane(lr))


def _by(way: Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]) -> Answer:
    """Return an answer that downscales in its own way."""
    return lambda sr, lr, shrink: _decibels(quantize(way(quantize(sr), tuple(lr.shape[-2:]))) - lr)


def _large(way: Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]) -> Answer:
    """Return an answer that compares at SR's size."""
    return lambda sr, lr, shrink: _decibels(quantize(sr) - way(lr, tuple(sr.shape[-2:])))


_SAVED = "You don't round SR. In practice you would downscale the saved file, so convert SR to 8-bit levels first."

EXERCISE = Exercise(
    lr_consistency,
    level="medium",
    points=5,
    cases={
        "SR downscaled the way HR was": _scene(4, "bicubic", 0.02, 0),
        "another way to downscale": _scene(3, "box", 0.01, 5),
        "SR as a file stores it": _scene(2, "box", 0.0015, 9),
        "an SR that agrees exactly": _agreeing(4, "bicubic", 13),
    },
    observe=_observe,
    known_mistakes={
        "You upscaled LR and compared the two at SR's size. There you can't know what is correct, and each detail of "
        "SR counts as wrong. Downscale SR instead.": [
            *(
                _large(lambda lr, size, mode=mode: F.interpolate(lr, size, mode=mode))
                for mode in ("bicubic", "nearest")
            ),
            _large(lambda lr, size: F.interpolate(lr, size, mode="bilinear")),
            _large(lambda lr, size: resize(lr, size[-1] / lr.shape[-1])),
        ],
        "You downscale SR in your own way. The LR image was made with `shrink`, so use `shrink` as it is passed in.": [
            _by(lambda sr, size: F.interpolate(sr, size, mode="bicubic", antialias=True)),
            _by(lambda sr, size: F.interpolate(sr, size, mode="bicubic")),
            _by(lambda sr, size: F.interpolate(sr, size, mode="bilinear")),
            _by(lambda sr, size: F.interpolate(sr, size, mode="nearest")),
            _by(lambda sr, size: resize(sr, size[-1] / sr.shape[-1], "lanczos")),
            _by(lambda sr, size: sr[..., :: sr.shape[-2] // size[-2], :: sr.shape[-1] // size[-1]]),
        ],
        "You also passed LR through `shrink`, but it is already small.": lambda sr, lr, shrink: _decibels(
            shrink(quantize(sr)) - shrink(lr)
        ),
        "You returned SR, downscaled. How far is it from LR?": lambda sr, lr, shrink: shrink(quantize(sr)),
        _SAVED: [
            lambda sr, lr, shrink: _decibels(shrink(sr) - lr),
            lambda sr, lr, shrink: _decibels(shrink(sr.clamp(0, 1)) - lr),
        ],
        "You compare only the luma. LR's colors are known as well, so all three channels count.": _on(luma),
        "You compare the mean of the three colors. Then too much red makes up for too little blue.": _on(
            lambda image: image.mean(1, keepdim=True)
        ),
        "You cropped a border. LR is known up to its last pixel, so all of its pixels count.": [
            _on(lambda image, rim=rim: image[..., rim:-rim, rim:-rim]) for rim in (1, 2, 3, 4)
        ],
        "You averaged the decibels of parts of the image. Take one mean over everything, and then the logarithm, "
        "once.": [
            _then(lambda error: decibels(error.view(3, -1)).mean()),
            _then(lambda error: decibels(error).reshape(1)),
        ],
        "The peak is the largest value that an image can have, which is 1, not the largest value in this one.": (
            lambda sr, lr, shrink: _decibels(shrink(quantize(sr)) - lr) + 20 * lr.max().log10()
        ),
        **mistakes_of(_then),
    },
    also_accepted=[
        lambda sr, lr, shrink: -10 * F.mse_loss(shrink(quantize(sr)), lr).log10(),
        lambda sr, lr, shrink: -20 * (lr - shrink(quantize(sr))).square().mean().sqrt().log10(),
        lambda sr, lr, shrink: _decibels(shrink((255 * sr.clamp(0, 1)).round() / 255) - lr),
    ],
    tolerance=5e-3,
    hints=(
        "LR is all you know. At which size can you compare SR and LR without inventing anything?",
        "Round SR with srlab.quantize, downscale it with shrink, and take the PSNR of the two small images.",
    ),
)
