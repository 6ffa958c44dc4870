"""Lab 05: a scoring script with three protocol mistakes, without them."""

from collections.abc import Callable
from typing import Any

import torch

from srlab.data.images import luma, quantize
from srlab.data.resampling import downsample
from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab_course.feedback.value_comparison import take

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
    # In gray levels, torch's antialiased bicubic is at most 0.5 from MATLAB's, mostly at the border, and bilinear 1.2.
    away = 255 * float((inputs[-1] - downsample(hr, 4)).abs().mean())
    levels = 255 * inputs[-1]
    return {
        "LR is made with antialiased bicubic": "yes" if away < 0.8 else f"{away:.1f} gray levels away",
        "LR is rounded to 8 bits": bool((levels - levels.round()).abs().max() < 1e-2),
        "the score in dB": score,
    }


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
    tolerance=5e-3,
    reveal=False,
)
