"""Lab 06: the noisy HR detail and the LR image, as the input of one convolution on the LR grid."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, sample


def inputs(lr: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Put noisy detail and LR into one tensor of LR size.

    Parameters
    ----------
    lr
        ``(N, 3, h, w)`` in [0, 1].
    x
        ``(N, 3, 4h, 4w)``.

    Returns
    -------
    torch.Tensor
        ``(N, 51, h, w)``: 48 channels of `x` in the order of a pixel unshuffle, and then `lr`, spread over [-2, 2].
    """
    return torch.cat([F.pixel_unshuffle(x, 4), 4 * (lr - 0.5)], dim=1)


def _variant(
    small: Answer = lambda x: F.pixel_unshuffle(x, 4),
    scaled: Answer = lambda lr: 4 * (lr - 0.5),
    join: Answer = lambda small, lr: torch.cat([small, lr], dim=1),
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    return lambda lr, x: join(small(x), scaled(lr))


def _places_first(x: torch.Tensor) -> torch.Tensor:
    """Unshuffle with the three colors of one place side by side."""
    return F.pixel_unshuffle(x, 4).unflatten(1, (3, 16)).transpose(1, 2).flatten(1, 2)


def _in_rows(x: torch.Tensor) -> torch.Tensor:
    """Reshape without regard to blocks."""
    return x.reshape(len(x), 48, x.shape[2] // 4, x.shape[3] // 4)


EXERCISE = Exercise(
    inputs,
    level="easy",
    points=2,
    cases={
        "two images": (sample(2, 3, 5, 6), sample(2, 3, 20, 24, low=-2, high=2, seed=1)),
        "one tall image": (sample(1, 3, 7, 2, seed=2), sample(1, 3, 28, 8, low=-2, high=2, seed=3)),
    },
    known_mistakes={
        "Your result is as large as HR. Convolutions there cost 16 times as much. How can a block of 4 x 4 pixels of x "
        "become channels of one LR pixel?": [
            lambda lr, x: torch.cat([x, F.interpolate(4 * (lr - 0.5), scale_factor=4)], dim=1),
            lambda lr, x: torch.cat([x, F.interpolate(4 * (lr - 0.5), scale_factor=4, mode="bicubic")], dim=1),
            lambda lr, x: torch.cat([x, F.interpolate(lr, scale_factor=4)], dim=1),
        ],
        "You downscaled x, so most of its numbers are gone. The network must see all 48 of a block.": [
            _variant(small=lambda x: F.interpolate(x, scale_factor=0.25)),
            _variant(small=lambda x: F.avg_pool2d(x, 4)),
        ],
        "You joined images of different sizes. Bring x to the size of LR first.": (
            lambda lr, x: torch.cat([x, 4 * (lr - 0.5)], dim=1)
        ),
        "You unshuffled both. LR is on the small grid already.": (
            lambda lr, x: torch.cat([F.pixel_unshuffle(x, 4), F.pixel_unshuffle(lr, 4)], dim=1)
        ),
        "LR comes first in your result. The weights of a trained network expect the 48 channels of x before it.": [
            _variant(join=lambda small, lr: torch.cat([lr, small], dim=1)),
        ],
        "Your LR is as it was, between 0 and 1. Center it, and spread it to [-2, 2].": _variant(scaled=lambda lr: lr),
        "Your LR is centered, but small next to the noise, whose values reach 2 and more. Multiply it.": [
            _variant(scaled=lambda lr: lr - 0.5),
            _variant(scaled=lambda lr: 2 * lr - 1),
        ],
        "Your LR isn't centered: 0.5, a medium gray, should become 0.": [
            _variant(scaled=lambda lr: 4 * lr),
            _variant(scaled=lambda lr: 4 * lr - 0.5),
        ],
        "You normalized LR by its own mean or deviation. Then the network can't tell a bright image from a dark one. "
        "Use the same numbers for all images.": [
            _variant(scaled=lambda lr: lr - lr.mean()),
            _variant(scaled=lambda lr: (lr - lr.mean()) / lr.std()),
        ],
        "Your 48 channels are the right numbers in another order. F.pixel_unshuffle has the order that the trained "
        "weights expect.": _variant(small=_places_first),
        "A reshape cuts the image into strips, so a channel's numbers come from all over. F.pixel_unshuffle keeps each "
        "block at its place.": _variant(small=_in_rows),
        "You shuffled. That turns channels into pixels, the other way around.": (
            _variant(small=lambda x: F.pixel_shuffle(x, 4))
        ),
    },
    also_accepted=[
        _variant(scaled=lambda lr: 4 * lr - 2),
        _variant(
            small=lambda x: (
                x.unflatten(2, (-1, 4)).unflatten(4, (-1, 4)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)  # by hand
            )
        ),
    ],
    hints=(
        "Lab 01's pixel shuffle turns channels into pixels. Which function of torch.nn.functional goes the other way?",
        "F.pixel_unshuffle(x, 4) has 48 channels. torch.cat joins them with 4 * (lr - 0.5) along dimension 1.",
    ),
)
