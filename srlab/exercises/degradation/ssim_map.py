"""Lab 00: where in a picture the structural similarity is low."""

import operator
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from srlab.data.degradation import blur
from srlab.exercises import Answer, Exercise, sample


def ssim_map(x: torch.Tensor, y: torch.Tensor, mean: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Structural similarity around each pixel (Wang 2004, equation 13).

    Parameters
    ----------
    x, y
        ``(N, 1, H, W)`` in [0, 1].
    mean
        Gives the mean in a window around each pixel, in the shape of its input.

    Returns
    -------
    torch.Tensor
        ``(N, 1, H, W)``, at most 1.
    """
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return brightness * structure


_C1, _C2 = 0.01**2, 0.03**2
_Mean = Callable[[torch.Tensor], torch.Tensor]
_Five = tuple[torch.Tensor, ...]  # two means, two variances, a covariance


def _moments(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v = mean(x), mean(y)
    return u, v, mean(x * x) - u * u, mean(y * y) - v * v, mean(x * y) - u * v


def _factors(five: _Five, c1: float = _C1, c2: float = _C2, two: float = 2) -> tuple[torch.Tensor, torch.Tensor]:
    u, v, xx, yy, xy = five
    return (two * u * v + c1) / (u * u + v * v + c1), (two * xy + c2) / (xx + yy + c2)


def _with(moments: Callable[..., _Five] = _moments, join: Answer = operator.mul, **constants: float) -> Answer:
    return lambda x, y, mean: join(*_factors(moments(x, y, mean), **constants))


def _not_centred(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    return mean(x), mean(y), mean(x * x), mean(y * y), mean(x * y)


def _product_of_means(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v = mean(x), mean(y)
    return u, v, u**2 - u * u, v**2 - v * v, u * v - u * v  # mean(x)**2, and not mean(x * x)


def _mean_not_squared(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v = mean(x), mean(y)
    return u, v, mean(x * x) - u, mean(y * y) - v, mean(x * y) - u * v


def _another_mean_at_each_pixel(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    a, b = x - mean(x), y - mean(y)
    return mean(x), mean(y), mean(a * a), mean(b * b), mean(a * b)


def _deviations(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v, xx, yy, xy = _moments(x, y, mean)
    return u, v, xx.clamp(min=0).sqrt(), yy.clamp(min=0).sqrt(), xy


def _squared_again(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v, xx, yy, xy = _moments(x, y, mean)
    return u, v, xx * xx, yy * yy, xy


def _of_the_whole(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    return x.mean(), y.mean(), x.var(), y.var(), ((x - x.mean()) * (y - y.mean())).mean()


def _deviations_for_covariance(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v, xx, yy, _ = _moments(x, y, mean)
    return u, v, xx, yy, (xx * yy).clamp(min=0).sqrt()


def _variances_for_covariance(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> _Five:
    u, v, xx, yy, _ = _moments(x, y, mean)
    return u, v, xx, yy, xx * yy


def _in_three(x: torch.Tensor, y: torch.Tensor, mean: _Mean) -> torch.Tensor:
    """Brightness, contrast and structure one by one, with c3 = c2 / 2."""
    five = _, _, xx, yy, xy = _moments(x, y, mean)
    both = (xx * yy).clamp(min=0).sqrt()
    contrast, structure = (2 * both + _C2) / (xx + yy + _C2), (xy + _C2 / 2) / (both + _C2 / 2)
    return _factors(five)[0] * contrast * structure


_IMAGE = 0.3 + 0.4 * blur(sample(1, 1, 20, 24), 1.0)
_WINDOW = partial(blur, sigma=1.5)

EXERCISE = Exercise(
    ssim_map,
    level="medium",
    cases={
        "a noisy image": (_IMAGE, _IMAGE + 0.1 * sample(1, 1, 20, 24, low=-1, seed=1), _WINDOW),
        "two flat greys": (torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.4), _WINDOW),
        "any window": (
            sample(2, 1, 9, 12, seed=2),
            sample(2, 1, 9, 12, seed=3),
            partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1),
        ),
    },
    mistakes={
        "Your variances and covariance are means of squares and products alone. How far do values lie from their mean? "
        "Take the squared mean away: mean(x * x) - mean(x)**2, and so on.": _with(_not_centred),
        "The variance is the mean of the squares less the *square* of the mean; there, the mean is taken away as it "
        "is.": _with(_mean_not_squared),
        "Almost. `x - mean(x)` takes a different mean away at each pixel, while a window has one mean for all its "
        "pixels. The way round it is mean(x * x) - mean(x)**2.": _with(_another_mean_at_each_pixel),
        "The formula has variances, and your code takes their square roots, the standard deviations.": (
            _with(_deviations)
        ),
        "Your variances are squared once more. mean(x * x) - mean(x)**2 is sigma squared already.": (
            _with(_squared_again)
        ),
        "The covariance says whether x and y go up and down *together*, and can be negative. A product of variances or "
        "of standard deviations cannot say that: take mean(x * y) - mean(x) * mean(y).": [
            _with(_deviations_for_covariance),
            _with(_variances_for_covariance),
        ],
        "The two constants are missing. Where both images are flat the variances are 0, and 0 / 0 is no number.": (
            _with(c1=0, c2=0)
        ),
        "One of the two constants is missing.": [_with(c1=0), _with(c2=0)],
        "The constants are 0.01 and 0.03 *squared*.": _with(c1=0.01, c2=0.03),
        "These constants are for levels from 0 to 255. Images here are in [0, 1]: 0.01**2 and 0.03**2.": [
            _with(c1=6.5025, c2=58.5225),
            _with(c1=2.55, c2=7.65),
        ],
        "The two constants have changed places.": _with(c1=_C2, c2=_C1),
        "Mean and variance are those of the whole image, so each pixel gets the same. Use `mean`, which looks at the "
        "window around each pixel.": [
            _with(lambda x, y, mean: _moments(x, y, torch.mean)),
            _with(_of_the_whole),
            lambda x, y, mean: _with(lambda x, y, mean: _moments(x, y, torch.mean))(x, y, mean).expand_as(x),
        ],
        "A window of your own is at work. Use `mean` as it comes, whatever its window is.": [
            lambda x, y, mean: ssim_map(x, y, _WINDOW),
            lambda x, y, mean: ssim_map(x, y, partial(F.avg_pool2d, kernel_size=11, stride=1, padding=5)),
            lambda x, y, mean: ssim_map(x, y, partial(F.avg_pool2d, kernel_size=7, stride=1, padding=3)),
        ],
        "This is the mean of the map. Give back the map itself, one number for each pixel.": [
            lambda x, y, mean: ssim_map(x, y, mean).mean(),
            lambda x, y, mean: ssim_map(x, y, mean).mean((1, 2, 3)),
        ],
        "Only the first factor shows, which compares brightness. Either the second is not there, or it is 1 "
        "everywhere, because variances and covariance are 0: mean(x * x) is not mean(x)**2.": [
            _with(join=lambda brightness, structure: brightness),
            _with(_product_of_means),
        ],
        "Only the second factor is there, which compares contrast and structure. Multiply by the first.": (
            _with(join=lambda brightness, structure: structure)
        ),
        "The two factors were added or averaged. They are multiplied, so that one low value makes the result low.": [
            _with(join=operator.add),
            _with(join=lambda brightness, structure: (brightness + structure) / 2),
        ],
        "A factor of 2 is missing: for two equal images numerator and denominator must agree.": [
            _with(two=1),
            lambda x, y, mean: _factors(_moments(x, y, mean))[0] * _factors(_moments(x, y, mean), two=1)[1],
        ],
        "This is 1 - SSIM, a map of what differs. The map asked for is 1 where the images agree.": (
            lambda x, y, mean: 1 - ssim_map(x, y, mean)
        ),
    },
    also_right=[_with(), _in_three],
    tolerance=2e-4,  # single precision, where brightness is squared and taken away again
    hints=(
        "Five maps first: two means, two variances and a covariance, all with `mean`. Then the formula is one line.",
        "A variance is mean(x * x) - mean(x)**2, and the covariance is mean(x * y) - mean(x) * mean(y).",
    ),
)
