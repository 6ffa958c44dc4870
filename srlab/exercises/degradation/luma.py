"""Lab 00: luma."""

from collections.abc import Sequence

import torch

from srlab.exercises import Answer, Exercise, sample


def luma(rgb: torch.Tensor) -> torch.Tensor:
    """BT.601 luma in the studio range; `srlab.luma` does the same.

    Parameters
    ----------
    rgb
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(N, 1, H, W)``, in [16/255, 235/255].
    """
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    return ((rgb * weights).sum(1, keepdim=True) + 16) / 255


_LEVELS = (65.481, 128.553, 24.966)
_STUDIO, _FULL = tuple(level / 255 for level in _LEVELS), (0.299, 0.587, 0.114)


def _weighted(weights: Sequence[float], offset: float) -> Answer:
    return lambda rgb: (rgb * torch.tensor(weights).view(3, 1, 1)).sum(1, keepdim=True) + offset


def _any_offset(*weights: Sequence[float]) -> list[Answer]:
    return [_weighted(three, offset) for three in weights for offset in (0, 16 / 255, 16)]


def _along(dim: int, keep: bool) -> list[Answer]:
    """Three places of another dimension taken for the channels."""

    def weighted(rgb: torch.Tensor, weights: Sequence[float], offset: float) -> torch.Tensor:
        result = sum(weight * rgb.select(dim, i) for i, weight in enumerate(weights)) + offset
        return result.unsqueeze(1) if keep else result

    pairs = [(_STUDIO, 16 / 255), (_STUDIO, 0), (_STUDIO, 16), (_FULL, 0)]
    return [lambda rgb, pair=pair: weighted(rgb, *pair) for pair in pairs]


def _unpacked(rgb: torch.Tensor) -> torch.Tensor:
    red, green, blue = rgb
    return (65.481 * red + 128.553 * green + 24.966 * blue + 16) / 255


def _rounded(image: torch.Tensor) -> torch.Tensor:
    return (255 * image).round() / 255


EXERCISE = Exercise(
    luma,
    level="easy",
    cases={
        "black, red, green and blue weigh as in BT.601": (
            torch.tensor([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).view(1, 3, 1, 4),  # four pixels in a row
        ),
        "one channel, same size": (sample(2, 3, 4, 5),),
    },
    mistakes={
        "Your weights add up to 1, which is the full-range luma. The studio range leaves room below black and above "
        "white; what must its weights add up to?": _any_offset(_FULL),
        "Red and blue have changed places: the channels here are R, G, B, while OpenCV has B, G, R.": (
            _any_offset(_STUDIO[::-1], _FULL[::-1])
        ),
        "All three colours weigh the same, but the eye sees green as much brighter than blue.": (
            _any_offset((1 / 3, 1 / 3, 1 / 3))
        ),
        "Only one of the three channels is in it. All of them count, each with its weight.": [
            lambda rgb, i=i: rgb[:, i : i + 1] for i in range(3)
        ],
        "These are the weights of HDTV (BT.709). Super-resolution papers use those of BT.601.": (
            _any_offset((0.2126, 0.7152, 0.0722))
        ),
        "The values are 255 times too large: images here are in [0, 1], and so is their luma.": _any_offset(_LEVELS),
        "Black comes out as 0. In the studio range it is a little above zero; which part of the formula is missing?": (
            _weighted(_STUDIO, 0)
        ),
        "Black comes out as 16, far above white. The offset of 16 counts 8-bit levels; what is it in [0, 1]?": (
            _weighted(_STUDIO, 16)
        ),
        "You weigh three columns of the image: in `rgb[..., 0]` the 0 counts along the width. The channels are the "
        "second dimension of (N, 3, H, W), so red is `rgb[:, 0:1]`.": [*_along(-1, False), *_along(-1, True)],
        "You weigh three images of the batch: in `rgb[0]` the 0 counts the images. The channels are the second "
        "dimension of (N, 3, H, W), so red is `rgb[:, 0:1]`.": [*_along(0, False), _unpacked],
        "The values are rounded to 8-bit levels on the way. Leave them as they come: whoever scores an image rounds it "
        "first, and luma itself is not rounded.": [
            lambda rgb: _rounded(luma(rgb)),
            lambda rgb: luma(_rounded(rgb)),
            lambda rgb: (255 * luma(rgb)).round(),
        ],
        "Luma is one channel, and the channel dimension stays.": [
            lambda rgb: luma(rgb).squeeze(1),
            lambda rgb: luma(rgb).expand_as(rgb),
            lambda rgb: rgb.mean(1),
            *(lambda rgb, weigh=weigh: weigh(rgb).squeeze(1) for weigh in _any_offset(_FULL)),
        ],
    },
    also_right=[_weighted(_STUDIO, 16 / 255)],
    reveal=False,
    hints=(
        "Luma is a weighted sum of red, green and blue, plus a constant; 8-bit black becomes 16 and white 235.",
        "In 8-bit levels: 65.481, 128.553 and 24.966 for R, G and B in [0, 1], plus 16. What is that in [0, 1]?",
    ),
)
