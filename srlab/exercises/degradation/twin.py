"""Lab 00: two HR images with one LR image."""

from typing import Any

import torch
import torch.nn.functional as F

from srlab.data import resampling
from srlab.exercises import Answer, Exercise, sample
from srlab.exercises.difference import take


def twin(hr: torch.Tensor, texture: torch.Tensor, scale: int) -> torch.Tensor:
    """Add to HR the part of a texture that the area downsampler cannot see.

    Parameters
    ----------
    hr, texture
        ``(N, C, H, W)``; H and W multiples of `scale`.
    scale
        The super-resolution factor.

    Returns
    -------
    torch.Tensor
        ``(N, C, H, W)``, with the same LR image as `hr` up to rounding.
    """
    seen = F.interpolate(F.avg_pool2d(texture, scale), scale_factor=scale, mode="nearest")
    return hr + texture - seen


def _up(small: torch.Tensor, scale: int, mode: str = "nearest") -> torch.Tensor:
    return F.interpolate(small, scale_factor=scale, mode=mode)


def _properties(answer: Answer, hr: torch.Tensor, texture: torch.Tensor, scale: int) -> dict[str, Any]:
    """What makes a twin: any image will do that has the LR image of HR, and is another, with the texture in it."""
    change = take(answer(hr, texture, scale), hr) - hr
    unseen = twin(hr, texture, scale) - hr
    alike = F.cosine_similarity(change.flatten(), unseen.flatten(), dim=0).abs()
    return {
        "its LR image, less that of HR": F.avg_pool2d(change, scale),
        "another image": change.abs().max().item() > 0.01,
        "the texture": alike.item() > 0.15,
    }


_CANVAS = sample(1, 3, 12, 24, low=0.02, high=0.98), sample(1, 3, 12, 24, low=-0.1, high=0.2, seed=1)

EXERCISE = Exercise(
    twin,
    level="medium",
    cases={
        "another image with exactly the same LR image": (*_CANVAS, 4),
        "any scale": (*_CANVAS, 3),
    },
    observe=_properties,
    mistakes={
        "This is HR itself. A twin looks different; where does the texture come in?": lambda hr, texture, scale: hr,
        "The texture shows in LR. Find the part of it that survives the downsampler, and leave that out.": (
            lambda hr, texture, scale: hr + texture
        ),
        "The two LR images agree in their mean brightness but not pixel by pixel. One number for the whole texture is "
        "too little; what does each single LR pixel see of it?": [
            lambda hr, texture, scale: hr + texture - texture.mean(),
            lambda hr, texture, scale: hr + texture - texture.mean((2, 3), keepdim=True),
        ],
        "The LR images are close but not equal. Each LR pixel is the mean of one block; what upscaling keeps that mean "
        "the same in all pixels of the block?": [
            lambda hr, texture, scale: hr + texture - _up(F.avg_pool2d(texture, scale), scale, "bilinear"),
            lambda hr, texture, scale: hr + texture - _up(F.avg_pool2d(texture, scale), scale, "bicubic"),
            lambda hr, texture, scale: hr + texture - resampling.resize(F.avg_pool2d(texture, scale), scale),
        ],
        "Enlarging with bicubic and shrinking again does not give back what was there, so A U = 1 does not hold for "
        "it. Which pair does the text name?": [
            lambda hr, texture, scale: hr + texture - resampling.resize(resampling.resize(texture, 1 / scale), scale),
            lambda hr, texture, scale: hr + texture - _up(resampling.resize(texture, 1 / scale), scale),
            lambda hr, texture, scale: hr + texture - _up(resampling.downsample(texture, scale), scale),
            lambda hr, texture, scale: hr + texture - resampling.upsample(resampling.downsample(texture, scale), scale),
        ],
        "What is left of the texture is exactly what LR sees, and that is the part to leave out. Keep the other one.": (
            lambda hr, texture, scale: hr + _up(F.avg_pool2d(texture, scale), scale)
        ),
        "What LR sees of the texture was added once more. Look at its sign.": (
            lambda hr, texture, scale: hr + texture + _up(F.avg_pool2d(texture, scale), scale)
        ),
        "Something was taken away from HR that should stay, and the texture kept what should go. Of which of the two "
        "may the downsampler see nothing?": (
            lambda hr, texture, scale: hr + texture - _up(F.avg_pool2d(hr, scale), scale)
        ),
        "The LR image of this is black: what LR sees of HR is gone, too. Only what it sees of the texture should go.": [
            lambda hr, texture, scale: twin(hr, texture, scale) - hr,
            lambda hr, texture, scale: hr + texture - _up(F.avg_pool2d(hr + texture, scale), scale),
        ],
        "The result is cut off at 0 and 1, which changes the means of some blocks. Leave it as it is.": (
            lambda hr, texture, scale: twin(hr, texture, scale).clamp(0, 1)
        ),
        "Off by less than one of 255 levels: something on the way rounds to 8 bits, as srlab.downsample does.": [
            lambda hr, texture, scale: hr + texture - _up((F.avg_pool2d(texture, scale) * 255).round() / 255, scale),
            lambda hr, texture, scale: (twin(hr, texture, scale) * 255).round() / 255,
            lambda hr, texture, scale: hr + texture - _up(resampling.downsample(texture, scale, "area"), scale),
        ],
        "With another scale this is still the twin of a fixed one. Is there a number in your code that should be "
        "`scale`?": [
            lambda hr, texture, scale: twin(hr, texture, 4),
            lambda hr, texture, scale: twin(hr, texture, 2),
        ],
        "A twin it is, with the same LR image. But nothing of the texture is in it, and the lab is about to lay a lawn "
        "over a photo. Which part of the texture may you add?": [
            lambda hr, texture, scale: 2 * hr - _up(F.avg_pool2d(hr, scale), scale),
            lambda hr, texture, scale: _up(F.avg_pool2d(hr, scale), scale),
        ],
    },
    also_right=[
        lambda hr, texture, scale: hr + (texture - resampling.resize(F.avg_pool2d(texture, scale), scale, "box")),
        lambda hr, texture, scale: 2 * hr - twin(hr, texture, scale),  # the texture turned to its negative
        lambda hr, texture, scale: (hr + twin(hr, texture, scale)) / 2,
        lambda hr, texture, scale: texture + _up(F.avg_pool2d(hr - texture, scale), scale),  # of HR only its blocks
    ],
    otherwise={
        "its LR image, less that of HR": "The LR image of the twin should be that of HR. Its first pixels are off by "
        "{given}.",
        "another image": "This can hardly be told from HR. A twin looks different; where does the texture come in?",
        "the texture": "A twin it is, with the same LR image. But hardly any of the texture is in it, and the lab is "
        "about to lay a lawn over a photo. Which part of the texture may you add?",
    },
    tolerance=1e-5,
    hints=(
        "Some patterns average to zero inside every block of pixels that becomes one LR pixel.",
        "Shrink the texture and enlarge the result again: that is what LR sees of it. What is left when you take it "
        "away?",
    ),
)
