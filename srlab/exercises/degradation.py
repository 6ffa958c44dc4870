"""Exercises of lab 00: the cubic kernel, area averages, two HR images with one LR image; and those of its parts."""

import torch
import torch.nn.functional as F

from srlab.data import resampling
from srlab.exercises import (
    Answer,
    Exercise,
    Wrong,
    _back_projection,
    _scores,
    _written_out,
    compare,
    near,
    sample,
    tensor,
)

# --- The cubic kernel ---------------------------------------------------------------------------------------


def _cubic_symmetry(answer: Answer) -> None:
    x = torch.tensor([-1.75, -1.25, -0.5, 0.0, 0.5, 1.25, 1.75])
    given = x.clone()
    result = tensor(answer(given), (7,))
    if not torch.equal(given, x):
        raise Wrong("The positions that came in were changed in place. Work on a new tensor.")
    if not near(result, result.flip(0)):
        raise Wrong("The kernel should look the same on both sides of 0. What happens to a negative x in your code?")
    compare(result[3], 1.0, otherwise="At 0 the kernel should be 1.")


def _cubic_support(answer: Answer) -> None:
    result = tensor(answer(torch.tensor([2.0, 2.5, 3.0, -2.5, 10.0])), (5,))
    if not near(result, torch.zeros(5)):
        raise Wrong(
            "From |x| = 2 outwards the kernel should be 0, but the outer polynomial goes on. How many samples may "
            "one output pixel see?"
        )


def _cubic_values(answer: Answer) -> None:
    x = torch.tensor([0.25, 0.5, 0.75, 1.25, 1.5, 1.75])
    wanted, inner, outer = resampling.cubic(x), resampling.cubic(x[:3]), resampling.cubic(x[3:])
    near_x, far_x = x[:3], x[3:]
    swapped = torch.cat([-0.5 * near_x**3 + 2.5 * near_x**2 - 4 * near_x + 2, 1.5 * far_x**3 - 2.5 * far_x**2 + 1])
    sharp = (
        "The kernel dips lower than it should between 1 and 2. That is the curve for another constant a; OpenCV and "
        "plain torch take -3/4, Keys and MATLAB do not."
    )
    mistakes = [
        (sharp, resampling.cubic(x, a=-0.75)),
        (sharp, resampling.cubic(x, a=-1.0)),
        ("Between 1 and 2 the kernel should be negative. Look at the sign of a.", resampling.cubic(x, a=0.5)),
        ("The two branches have changed places: which polynomial belongs to |x| below 1?", swapped),
        ("Between 1 and 2 nothing is left, but the kernel is 4 samples wide.", torch.cat([inner, 0 * outer])),
    ]
    compare(tensor(answer(x.clone()), (6,)), wanted, mistakes, "At 0.25, 0.5, 0.75, ... the curve is another one.")


# --- Shrinking by area averages -----------------------------------------------------------------------------


def shrink(signal: torch.Tensor, factor: int) -> torch.Tensor:
    """Shrink the last axis by averaging each run of `factor` samples: ``(..., W)`` to ``(..., W / factor)``."""
    return signal.unflatten(-1, (-1, factor)).mean(-1)


def _shrink_shape(answer: Answer) -> None:
    tensor(answer(sample(20), 4), (5,), "The factor says how many samples become one, on the last axis.")


def _shrink_stripes(answer: Answer) -> None:
    stripes = torch.arange(20.0) % 2
    result = tensor(answer(stripes, 4), (5,))
    aliased = (
        "Stripes of black and white became one flat tone: most samples were never looked at. That is aliasing; what "
        "should a pixel four times as wide see?"
    )
    added = "The result is brighter than anything in the signal. Is it the sum of the samples, or their mean?"
    mistakes = [(aliased, torch.zeros(5)), (aliased, torch.ones(5)), (added, torch.full((5,), 2.0))]
    compare(result, torch.full((5,), 0.5), mistakes, "Fine stripes of 0 and 1 should turn into an even grey.")


def _shrink_values(answer: Answer) -> None:
    rows = sample(2, 3, 24)
    result = tensor(answer(rows.clone(), 3), (2, 3, 8), "Only the last axis gets shorter.")
    interleaved = (
        "Each result mixes samples that lie far apart in the signal. When the axis is split in two, which of the two "
        "runs over neighbours?"
    )
    aliased = "Each result is a single sample of the signal, and its neighbours are lost. That is aliasing."
    mistakes = [
        (interleaved, rows.reshape(2, 3, 3, 8).mean(2)),
        *((aliased, rows[..., start::3]) for start in range(3)),
        ("Each result is the largest of its neighbours; an average is wanted.", rows.reshape(2, 3, 8, 3).amax(3)),
    ]
    compare(result, shrink(rows, 3), mistakes, "The results are not the means of three neighbours each.")


# --- Two HR images with one LR image ------------------------------------------------------------------------


def _area(image: torch.Tensor, scale: int) -> torch.Tensor:
    return resampling.resize(image, 1 / scale, "box")


def _seen(image: torch.Tensor, scale: int) -> torch.Tensor:
    """What is left of an image after the area downsampler, at its old size."""
    return resampling.resize(_area(image, scale), scale, "box")


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


def _canvas() -> tuple[torch.Tensor, torch.Tensor]:
    return sample(1, 3, 16, 24, low=0.02, high=0.98), sample(1, 3, 16, 24, low=-0.1, high=0.2, seed=1)


def _twin_differs(answer: Answer) -> None:
    (hr, texture), (given_hr, given_texture) = _canvas(), _canvas()
    result = tensor(answer(given_hr, given_texture, 4), (1, 3, 16, 24))
    if not (torch.equal(hr, given_hr) and torch.equal(texture, given_texture)):
        raise Wrong(
            "An image that came in was changed in place (+= and -= do that). The lab compares both images "
            "afterwards, so leave them as they are."
        )
    if near(result, hr, 1e-3):
        raise Wrong("This is HR itself. A twin looks different; where does the texture come in?")


def _twin_lr(answer: Answer) -> None:
    hr, texture = _canvas()
    result = tensor(answer(hr.clone(), texture.clone(), 4), (1, 3, 16, 24))
    if near(_area(result, 4), _area(hr, 4), 1e-5):
        return
    wanted = twin(hr, texture, 4)
    if near(result, wanted, 1 / 255):
        raise Wrong(
            "Off by less than one of 255 levels: something on the way rounds to 8 bits, as srlab.downsample does."
        )
    smooth = F.interpolate(_area(texture, 4), scale_factor=4, mode="bilinear", align_corners=False)
    cubic = resampling.resize(_area(texture, 4), 4)
    blocks = (
        "The LR images are close but not equal. Each LR pixel is the mean of one 4x4 block; what upscaling keeps that "
        "mean the same in all 16 pixels?"
    )
    overall = (
        "The two LR images agree in their mean brightness but not pixel by pixel. One number for the whole texture "
        "is too little; what does each single LR pixel see of it?"
    )
    pair = (
        "Enlarging with bicubic and shrinking again does not give back what was there, so A U = 1 does not hold for "
        "it. Which pair does the text name?"
    )
    mistakes = [
        (
            "The result is cut off at 0 and 1, which changes the means of some blocks. Leave it as it is.",
            wanted.clamp(0, 1),
        ),
        (pair, hr + texture - resampling.resize(resampling.resize(texture, 0.25), 4)),
        (
            "The texture shows in LR. Find the part of it that survives the downsampler, and leave that out.",
            hr + texture,
        ),
        (overall, hr + texture - texture.mean()),
        (overall, hr + texture - texture.mean((2, 3), keepdim=True)),
        (blocks, hr + texture - smooth),
        (blocks, hr + texture - cubic),
        (
            "Something was taken away from HR that should stay, and the texture kept what should go. Of which of the "
            "two may the downsampler see nothing?",
            hr + texture - _seen(hr, 4),
        ),
    ]
    compare(result, wanted, mistakes, "The LR image of the twin is not the LR image of HR.")


def _twin_texture(answer: Answer) -> None:
    hr, texture = _canvas()
    result = tensor(answer(hr.clone(), texture.clone(), 2), (1, 3, 16, 24))
    fixed = "With scale=2 the twin is that of scale 4. Is there a 4 in your code that should be `scale`?"
    otherwise = "LR is the same, but not all of the fine part of the texture (and nothing else) was added to HR."
    compare(result, twin(hr, texture, 2), [(fixed, twin(hr, texture, 4))], otherwise)


EXERCISES = {
    **_scores.EXERCISES,
    **_back_projection.EXERCISES,
    "degradation.cubic": Exercise(
        _written_out.cubic,
        (
            ("symmetric, and 1 in the middle", _cubic_symmetry),
            ("0 from |x| = 2 outwards", _cubic_support),
            ("the two polynomials of Keys with a = -1/2", _cubic_values),
        ),
        "medium",
        (
            "The kernel has three pieces by the distance from 0: up to 1, from 1 to 2, and beyond.",
            "torch.where chooses piece by piece for a whole tensor, and can be nested for three pieces.",
        ),
    ),
    "degradation.shrink": Exercise(
        shrink,
        (
            ("the last axis gets shorter by the factor", _shrink_shape),
            ("fine stripes turn grey", _shrink_stripes),
            ("each result is the mean of its neighbours", _shrink_values),
        ),
        "easy",
        (
            "One LR pixel is as wide as several HR pixels, and should tell about all of them.",
            "Split the last axis into two, so that neighbours share a row, and average over the right one.",
        ),
    ),
    "degradation.twin": Exercise(
        twin,
        (
            ("another image, and HR is left alone", _twin_differs),
            ("exactly the same LR image", _twin_lr),
            ("all of the texture's fine part", _twin_texture),
        ),
        "medium",
        (
            "Some patterns average to zero inside every block of pixels that becomes one LR pixel.",
            "Shrink the texture and enlarge the result again: that is what LR sees of it. What is left when you take "
            "it away?",
        ),
    ),
}
