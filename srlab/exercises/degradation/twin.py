"""Lab 00: two HR images with one LR image."""

import torch
import torch.nn.functional as F

from srlab.data import resampling
from srlab.exercises import Exercise, sample


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


_CANVAS = sample(1, 3, 16, 24, low=0.02, high=0.98), sample(1, 3, 16, 24, low=-0.1, high=0.2, seed=1)

EXERCISE = Exercise(
    twin,
    level="medium",
    cases={
        "another image with exactly the same LR image": (*_CANVAS, 4),
        "any scale": (*_CANVAS, 2),
    },
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
        "it. Which pair does the text name?": (
            lambda hr, texture, scale: hr + texture - resampling.resize(resampling.resize(texture, 1 / scale), scale)
        ),
        "Something was taken away from HR that should stay, and the texture kept what should go. Of which of the two "
        "may the downsampler see nothing?": (
            lambda hr, texture, scale: hr + texture - _up(F.avg_pool2d(hr, scale), scale)
        ),
        "The result is cut off at 0 and 1, which changes the means of some blocks. Leave it as it is.": (
            lambda hr, texture, scale: twin(hr, texture, scale).clamp(0, 1)
        ),
        "Off by less than one of 255 levels: something on the way rounds to 8 bits, as srlab.downsample does.": [
            lambda hr, texture, scale: hr + texture - _up((F.avg_pool2d(texture, scale) * 255).round() / 255, scale),
            lambda hr, texture, scale: (twin(hr, texture, scale) * 255).round() / 255,
        ],
        "LR is the same, but only half of the fine part of the texture was added to HR.": (
            lambda hr, texture, scale: (hr + twin(hr, texture, scale)) / 2
        ),
        "With scale=2 the twin is that of scale 4. Is there a 4 in your code that should be `scale`?": (
            lambda hr, texture, scale: twin(hr, texture, 4)
        ),
    },
    also_right=[
        lambda hr, texture, scale: hr + (texture - resampling.resize(F.avg_pool2d(texture, scale), scale, "box"))
    ],
    otherwise={"another image with exactly the same LR image": "The LR image of the twin is not the LR image of HR."},
    tolerance=1e-5,
    hints=(
        "Some patterns average to zero inside every block of pixels that becomes one LR pixel.",
        "Shrink the texture and enlarge the result again: that is what LR sees of it. What is left when you take it "
        "away?",
    ),
)
