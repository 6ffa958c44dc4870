"""Lab 00: PSNR as papers report it."""

from collections.abc import Callable

import torch

from srlab.course.exercise import Answer, Exercise, sample
from srlab.data.images import full_range, luma


def paper_psnr(sr: torch.Tensor, hr: torch.Tensor, crop: int) -> torch.Tensor:
    """Return the PSNR of the luma of images rounded to 8 bits, after removing `crop` border pixels on each side.

    Parameters
    ----------
    sr, hr
        ``(N, 3, H, W)``, RGB in [0, 1].
    crop
        Border width in pixels.

    Returns
    -------
    torch.Tensor
        ``(N,)``, decibels.
    """

    def y_of(image: torch.Tensor) -> torch.Tensor:
        red, green, blue = ((255 * image).round() / 255).unbind(1)
        y = (16 + 65.481 * red + 128.553 * green + 24.966 * blue) / 255
        return y[:, crop : y.shape[1] - crop, crop : y.shape[2] - crop]

    return -10 * (y_of(sr) - y_of(hr)).square().mean((1, 2)).log10()


def _rounded(image: torch.Tensor) -> torch.Tensor:
    return (255 * image).round() / 255


def _weighted(red: float, green: float, blue: float, offset: float = 0.0) -> Callable[[torch.Tensor], torch.Tensor]:
    weights = torch.tensor([red, green, blue]).view(3, 1, 1)
    return lambda image: (image * weights).sum(1, keepdim=True) + offset


def _score(
    save: Callable[[torch.Tensor], torch.Tensor] = _rounded,
    plane: Callable[[torch.Tensor], torch.Tensor] = luma,
    after: Callable[[torch.Tensor], torch.Tensor] = lambda y: y,
    border: Callable[[int], int] = lambda crop: crop,
    factor: float = 10.0,
) -> Answer:
    """Return a score with each of its parts right or wrong."""

    def answer(sr: torch.Tensor, hr: torch.Tensor, crop: int) -> torch.Tensor:
        a, b = (after(plane(save(image))) for image in (sr, hr))
        cut, (height, width) = border(crop), a.shape[-2:]
        error = (a - b)[..., cut : height - cut, cut : width - cut]
        return -factor * error.square().mean((1, 2, 3)).log10()

    return answer


def _pair(levels: float, seed: int, low: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    """Return SR and HR, ``(2, 3, 16, 20)`` in [0, 1]: HR on 8-bit levels, and colored errors of about `levels`."""
    hr = _rounded(sample(2, 3, 16, 20, low=low, high=1 - low, seed=seed))
    error = levels / 255 * sample(2, 3, 16, 20, low=-1, seed=seed + 1) * torch.tensor([1.0, 0.6, -1.4]).view(3, 1, 1)
    error[..., :4, :] *= 2
    error[..., 4:, -4:] *= 3
    error[1] *= 2
    return hr + error, hr


EXERCISE = Exercise(
    paper_psnr,
    level="medium",
    points=2,
    cases={
        "the luma of images rounded to 8 bits": (*_pair(1.5, 0), 0),
        "a border is cropped": (*_pair(2.5, 3), 4),
        "large errors": (*_pair(10.0, 6, low=0.4), 4),
    },
    known_mistakes={
        "You score all three colors. Papers score one plane, the luma: the formula makes one number of R, G and B.": (
            _score(plane=lambda image: image)
        ),
        "Your images aren't rounded. In a file, a value is a whole number of gray levels: round R, G and B first.": (
            _score(save=lambda image: image)
        ),
        "You round the luma, but a file contains rounded colors. Which comes first, saving or luma?": [
            _score(save=lambda image: image, after=_rounded),
            _score(after=_rounded),
        ],
        "You cut off the digits after the point, so every value gets darker. Round to the nearest level.": [
            _score(save=lambda image: (255 * image).to(torch.uint8).float() / 255),
            _score(save=lambda image: (255 * image).floor() / 255),
        ],
        "You round values in [0, 1], so only black and white are left. In which unit is a level a whole number?": (
            _score(save=torch.round)
        ),
        "Your luma goes from 0 to 1. The formula goes only from 16 to 235 of 255, which makes errors smaller and "
        "raises the score by 1.3 dB.": [
            _score(plane=_weighted(0.299, 0.587, 0.114)),
            _score(plane=lambda image: full_range(luma(image))),
        ],
        "You average R, G and B equally. Which weights does the formula have?": [
            _score(plane=lambda image: image.mean(1, keepdim=True)),
            _score(plane=_weighted(73 / 255, 73 / 255, 73 / 255)),
        ],
        "Your weights are in the order B, G, R, as OpenCV reads files. Ours are R, G, B.": _score(
            plane=_weighted(24.966 / 255, 128.553 / 255, 65.481 / 255)
        ),
        "The value is 48.13 dB too low. Did you divide the luma by 255?": _score(plane=lambda image: 255 * luma(image)),
        "The value is 48.13 dB too high. The luma goes from 16/255 to 235/255 here, and the peak is still 1.": (
            lambda sr, hr, crop: _score()(sr, hr, crop) + 48.1308
        ),
        "With crop=4 you get the same value as with crop=0, so the border still counts. Where does your code use "
        "`crop`?": _score(border=lambda crop: 0),
        "You always crop the same border, whatever `crop` is. Pass `crop` on.": [
            _score(border=lambda crop: 4),
            _score(border=lambda crop: 2 * crop),
        ],
        "The factor is 20 for a root and 10 for a squared quantity. Your own `psnr` has it right.": _score(factor=20),
        "You return one number for a batch of two. Return one for each image, as `psnr` does.": (
            lambda sr, hr, crop: _score()(sr, hr, crop).mean()
        ),
    },
    also_accepted=[
        _score(),
        _score(plane=_weighted(65.481 / 255, 128.553 / 255, 24.966 / 255)),
        _score(plane=_weighted(65.481 / 255, 128.553 / 255, 24.966 / 255, 16 / 255)),
        _score(save=lambda image: (255 * image + 0.5).floor().clamp(0, 255) / 255),
        _score(save=lambda image: (255 * image + 0.5).to(torch.uint8).float() / 255),
        lambda sr, hr, crop: _score(save=lambda image: image)(_rounded(sr), hr, crop),  # HR is from a file
    ],
    fallback_messages={
        "the luma of images rounded to 8 bits": "Your value is {given}. Round R, G and B to whole levels, compute the "
        "luma of both images with the formula above, and pass it to `psnr`.",
    },
    tolerance=0.005,
    hints=(
        "Three steps for both images: round, luma, `psnr`. The luma is an image with one channel.",
        "(255 * image).round() / 255 rounds. Channels 0, 1 and 2 are R, G and B. Slices such as image[:, 0:1] keep the "
        "dimension of the channel.",
    ),
)
