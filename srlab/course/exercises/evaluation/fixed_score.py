"""Lab 05: a scoring script with three protocol mistakes, without them."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.data.images import full_range, luma, quantize
from srlab.data.resampling import downsample
from srlab.evaluation.metrics import psnr

Upscale = Callable[[torch.Tensor], torch.Tensor]


def fixed_score(upscale: Upscale, hr: torch.Tensor) -> torch.Tensor:
    """Return the PSNR of one photo as super-resolution papers report it for x4.

    LR is made with MATLAB's bicubic. SR and HR are rounded to 8 bits, converted to BT.601 luma in studio range, and
    cropped by 4 pixels on each side; the rest is ``10 log10(1 / MSE)``.

    Parameters
    ----------
    upscale
        Function from LR ``(1, 3, h, w)`` to SR ``(1, 3, 4h, 4w)``.
    hr
        Photo, ``(1, 3, H, W)`` in [0, 1]; H and W are multiples of 4.

    Returns
    -------
    torch.Tensor
        ``()``, decibels.
    """
    sr = upscale(downsample(hr, 4))
    sr, hr = (luma(quantize(image))[..., 4:-4, 4:-4] for image in (sr, hr))
    mse = (sr - hr).square().mean()
    return 10 * (1 / mse).log10()


def _aliased(hr: torch.Tensor) -> torch.Tensor:
    return quantize(F.interpolate(hr, scale_factor=1 / 4, mode="bicubic"))


def _antialiased(hr: torch.Tensor) -> torch.Tensor:
    return quantize(F.interpolate(hr, scale_factor=1 / 4, mode="bicubic", antialias=True))


def _as_it_is(sr: torch.Tensor) -> torch.Tensor:
    return sr.clamp(0, 1)


def _one(_: torch.Tensor) -> float:
    return 1.0


def _largest(hr: torch.Tensor) -> torch.Tensor:
    return hr.max()


def _score(
    make: Callable[[torch.Tensor], torch.Tensor] = lambda hr: downsample(hr, 4),
    save: Callable[[torch.Tensor], torch.Tensor] = quantize,
    peak: Callable[[torch.Tensor], Any] = _one,
    plane: Callable[[torch.Tensor], torch.Tensor] = luma,
    crop: int = 4,
    factor: float = 10.0,
) -> Answer:
    """Return a score with its parts right or wrong; `borrowed_score` has the first three wrong."""

    def answer(upscale: Upscale, hr: torch.Tensor) -> torch.Tensor:
        sr = save(upscale(make(hr)))
        sr, hr = (plane(image)[..., crop:, crop:] for image in (sr, hr))
        sr, hr = (image[..., : image.shape[-2] - crop, : image.shape[-1] - crop] for image in (sr, hr))
        return factor * (peak(hr) ** 2 / (sr - hr).square().mean()).log10()

    return answer


def _scene(strength: float, low: float, high: float, seed: int) -> Callable[[], tuple[Upscale, torch.Tensor]]:
    """Return an upscaler, and a photo on 8-bit levels; SR is between the levels, and worse at the border."""

    def make() -> tuple[Upscale, torch.Tensor]:
        hr = quantize(sample(1, 3, 48, 64, low=low, high=high, seed=seed))
        error = strength * sample(1, 3, 48, 64, low=-1, seed=seed + 1) * torch.tensor([1.0, 0.5, -1.5]).view(3, 1, 1)
        error[..., :4, :] *= 3
        error[..., 4:, -4:] *= 4
        sr = hr + error
        return (lambda _: sr.clone()), hr

    return make


def _observe(answer: Answer, upscale: Upscale, hr: torch.Tensor) -> dict[str, Any]:
    inputs: list[torch.Tensor] = []
    given, hr = hr, hr.clone()

    def noted(lr: torch.Tensor) -> torch.Tensor:
        if tuple(lr.shape) != (1, 3, hr.shape[-2] // 4, hr.shape[-1] // 4):
            raise IncorrectAnswer(
                f"You passed `upscale` an image of {lr.shape[-1]}x{lr.shape[-2]} pixels. It needs an LR image, 4 times "
                "smaller than HR."
            )
        inputs.append(lr.detach().clone())
        return upscale(lr)

    score = take(filled(answer(noted, given)), 0.0)
    if not inputs:
        raise IncorrectAnswer("You never called `upscale`. Make LR from HR and upscale it.")
    # Other correct antialiasing differs from MATLAB's by a few levels, mostly at the border.
    close = float((inputs[-1] - downsample(hr, 4)).abs().mean()) < 3 / 255
    levels = 255 * inputs[-1]
    return {
        "LR is antialiased": close,
        "LR is rounded to 8 bits": bool((levels - levels.round()).abs().max() < 1e-2),
        "the score in dB": score,
    }


_UNFIXED = {"make": _aliased, "save": _as_it_is, "peak": _largest}
_RIGHT = {"make": lambda hr: downsample(hr, 4), "save": quantize, "peak": _one}


def _with_bugs(*bugs: str) -> Answer:
    return _score(**{part: (_UNFIXED if part in bugs else _RIGHT)[part] for part in _RIGHT})


EXERCISE = Exercise(
    fixed_score,
    level="medium",
    points=4,
    cases={
        "a dark photo": _scene(0.05, 0.05, 0.45, 0),
        "a bright photo": _scene(0.03, 0.4, 0.9, 5),
        "SR close to HR": _scene(0.004, 0.2, 0.8, 9),
    },
    observe=_observe,
    known_mistakes={
        "The score is still the one of borrowed_score. The score of bicubic is a check that needs no network: "
        "which line could cost a dark photo several decibels?": _with_bugs("make", "save", "peak"),
        "The peak is correct now, but the network still gets an LR image from which it can't win. How did lab 00 "
        "downscale an image, and what must never be skipped there?": [
            _with_bugs("make", "save"),
            _with_bugs("make"),
        ],
        "LR is correct now, but a dark photo still loses several decibels. What is the largest value that an image can "
        "have?": [
            _with_bugs("peak", "save"),
            _with_bugs("peak"),
        ],
        "You rounded the images, but the two larger mistakes are still there. How is LR made, and what is the error "
        "compared with?": _with_bugs("make", "peak"),
        "Two of three are fixed, and the table looks right. The third costs hundredths of a decibel: what happens to "
        "SR when it is saved as a file?": [
            _with_bugs("save"),
            _score(save=lambda sr: sr),
        ],
        "You antialias, but LR is no longer rounded: a network sees values that no file can contain.": [
            _score(make=lambda hr: F.interpolate(hr, scale_factor=1 / 4, mode="bicubic", antialias=True).clamp(0, 1)),
            _score(
                make=lambda hr: F.interpolate(hr, scale_factor=1 / 4, mode="bicubic", antialias=True).clamp(0, 1),
                save=_as_it_is,
            ),
        ],
        "LR is still aliased, and you removed its rounding, which was correct.": [
            _score(make=lambda hr: F.interpolate(hr, scale_factor=1 / 4, mode="bicubic"), save=save, peak=peak)
            for save, peak in itertools.product((quantize, _as_it_is), (_one, _largest))
        ],
        "The luma of papers ends at 235/255, but their peak is still 1, as in lab 00.": [
            _score(peak=lambda _: 235 / 255),
        ],
        "You no longer take the luma. That step was correct: papers compare the luma, and RGB costs 1.5 dB.": (
            _score(plane=lambda image: image)
        ),
        "Your luma runs from 0 to 255, or your peak is 219/255. In papers the luma runs from 16 to 235, with a peak of "
        "1.": [
            _score(plane=lambda image: full_range(luma(image))),
            _score(peak=lambda _: 219 / 255),
        ],
        "You no longer crop the border. That step was correct.": _score(crop=0),
        "You rounded the luma. A file stores rounded RGB, so round before you take the luma.": [
            _score(save=_as_it_is, plane=lambda image: quantize(luma(image))),
            _score(plane=lambda image: quantize(luma(image))),
        ],
        "You truncate SR to a lower level instead of rounding it.": _score(
            save=lambda sr: (sr.clamp(0, 1) * 255).floor() / 255
        ),
    },
    also_accepted=[
        _score(),
        _score(make=_antialiased),
        _score(save=lambda sr: (255 * sr.clamp(0, 1)).round() / 255),
        lambda upscale, hr: psnr(upscale(downsample(hr, 4)), hr).item(),
    ],
    tolerance=5e-3,
    reveal=False,
    hints=(
        "Three values are wrong: LR, SR, and what the error is compared with. A row for bicubic shows a mistake even "
        "without a network.",
        "Three lines differ from the protocol: one makes LR, one prepares SR, and one has the peak.",
        "srlab.downsample makes LR as in papers, srlab.quantize rounds to 8 bits, and the peak of an image is 1.",
    ),
)
