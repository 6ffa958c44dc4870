"""Lab 05: whether SR still shows what LR showed."""

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
    """PSNR of SR made small again, against LR.

    SR is rounded to the 8-bit levels of a file and shrunk as LR was. All pixels of all three channels count.

    Parameters
    ----------
    sr
        ``(1, 3, H, W)`` in [0, 1].
    lr
        ``(1, 3, h, w)``, the image that SR was made from.
    shrink
        Makes an LR image, rounded to 8 bits, of a large one.

    Returns
    -------
    torch.Tensor
        ``()``, decibels.
    """
    again = shrink(quantize(sr))
    return -10 * (again - lr).square().mean().log10()


def _strict(scale: int, kernel: str) -> Shrink:
    """A way to shrink, which says so when it is given something that is small already."""

    def shrink(image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] != 12 * scale:
            raise IncorrectAnswer(
                f"`shrink` was given an image of {image.shape[-1]}x{image.shape[-2]} pixels. Which of the two images "
                "is large?"
            )
        return quantize(resize(image, 1 / scale, kernel))

    return shrink


def _scene(scale: int, kernel: str, strength: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, Shrink]:
    """SR between the levels of a file, and LR of a photo that is a little different, most of all at the border."""
    hr = sample(1, 3, 10 * scale, 12 * scale, low=0.25, high=0.75, seed=seed)
    wrong = strength * sample(1, 3, 10, 12, low=-1, seed=seed + 1)
    wrong[..., :1, :] *= 3
    wrong[..., -1:] *= 4
    wrong = wrong * torch.tensor([1.0, 0.5, -1.5]).view(3, 1, 1)
    shrink = _strict(scale, kernel)
    return hr + F.interpolate(wrong, scale_factor=float(scale)), shrink(quantize(hr)), shrink


def _observe(answer: Answer, sr: torch.Tensor, lr: torch.Tensor, shrink: Shrink) -> dict[str, Any]:
    return {"the decibels": filled(answer(sr, lr, shrink))}


def _decibels(error: torch.Tensor) -> torch.Tensor:
    return decibels(error.flatten())


def _then(formula: Formula) -> Answer:
    """Another formula for the right errors."""
    return lambda sr, lr, shrink: formula((shrink(quantize(sr)) - lr).flatten())


def _on(plane: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
    """PSNR on something else than all pixels of all channels."""
    return lambda sr, lr, shrink: _decibels(plane(shrink(quantize(sr))) - plane(lr))


def _by(way: Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]) -> Answer:
    """Shrunk in a way of one's own."""
    return lambda sr, lr, shrink: _decibels(quantize(way(quantize(sr), tuple(lr.shape[-2:]))) - lr)


def _large(way: Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]) -> Answer:
    """Compared at the size of SR."""
    return lambda sr, lr, shrink: _decibels(quantize(sr) - way(lr, tuple(sr.shape[-2:])))


_SAVED = "SR isn't rounded. What you'd shrink is the file, so turn it into 8-bit levels first."

EXERCISE = Exercise(
    lr_consistency,
    level="medium",
    points=5,
    cases={
        "SR is shrunk by what shrank HR": _scene(4, "bicubic", 0.02, 0),
        "another way to shrink": _scene(3, "box", 0.01, 5),
        "SR is what a file holds": _scene(2, "box", 0.0015, 9),
    },
    observe=_observe,
    known_mistakes={
        "LR was enlarged, and the two were compared at the size of SR. There nobody knows what's right, and each "
        "detail of SR counts as wrong. Make SR small instead.": [
            *(
                _large(lambda lr, size, mode=mode: F.interpolate(lr, size, mode=mode))
                for mode in ("bicubic", "nearest")
            ),
            _large(lambda lr, size: F.interpolate(lr, size, mode="bilinear")),
            _large(lambda lr, size: resize(lr, size[-1] / lr.shape[-1])),
        ],
        "SR is shrunk in a way of your own. What it's held against was made by `shrink`: use `shrink`, as it comes.": [
            _by(lambda sr, size: F.interpolate(sr, size, mode="bicubic", antialias=True)),
            _by(lambda sr, size: F.interpolate(sr, size, mode="bicubic")),
            _by(lambda sr, size: F.interpolate(sr, size, mode="bilinear")),
            _by(lambda sr, size: F.interpolate(sr, size, mode="nearest")),
            _by(lambda sr, size: resize(sr, size[-1] / sr.shape[-1], "lanczos")),
            _by(lambda sr, size: sr[..., :: sr.shape[-2] // size[-2], :: sr.shape[-1] // size[-1]]),
        ],
        "LR went through `shrink` as well, but it's small already.": lambda sr, lr, shrink: _decibels(
            shrink(quantize(sr)) - shrink(lr)
        ),
        "This is SR, shrunk. How far is it from LR?": lambda sr, lr, shrink: shrink(quantize(sr)),
        _SAVED: [
            lambda sr, lr, shrink: _decibels(shrink(sr) - lr),
            lambda sr, lr, shrink: _decibels(shrink(sr.clamp(0, 1)) - lr),
        ],
        "Only the luma is compared. LR's colors are known, too, so all three channels count.": _on(luma),
        "The mean of the three colors is compared. Then too much red makes up for too little blue.": _on(
            lambda image: image.mean(1, keepdim=True)
        ),
        "A border was cut off. LR is known up to its last pixel, so all of them count.": [
            _on(lambda image, rim=rim: image[..., rim:-rim, rim:-rim]) for rim in (1, 2, 3, 4)
        ],
        "Decibels of parts of the image were averaged. Take one mean over all, and then the logarithm, once.": [
            _then(lambda error: decibels(error.view(3, -1)).mean()),
            _then(lambda error: decibels(error).reshape(1)),
        ],
        "The peak is the largest value that an image can take, which is 1, and not the largest that is there.": (
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
        "LR is all that's known. At which size can SR and LR be compared without making anything up?",
        "Round SR with srlab.quantize, make it small with shrink, and take the PSNR of the two small images.",
    ),
)
