"""Lab 01: how far SRResNet looks."""

import math

from srlab.exercises import Answer, Exercise
from srlab.exercises.difference import take


def receptive_radius(blocks: int) -> int:
    """How many LR pixels away SRResNet (x4) still looks, for the worst placed HR pixel.

    A k x k convolution looks ``k // 2`` pixels further, at the scale at which it runs: the 9x9 head, two 3x3
    convolutions per block and two more run on LR pixels, one 3x3 on half and the 9x9 tail on quarter LR pixels.

    Parameters
    ----------
    blocks
        Number of residual blocks.

    Returns
    -------
    int
        LR pixels, rounded up: 40 for 16 blocks.
    """
    return math.ceil(4 + 2 * blocks + 1 + 1 + 1 / 2 + 4 / 4)


def _observe(answer: Answer, few: int, many: int) -> dict[str, float]:
    first, last = (float(take(answer(blocks), 0.0)) for blocks in (few, many))
    each = (last - first) / (many - few)
    return {"what five blocks add": last - first, "the layers before and after the blocks": last - each * many}


def _radius(each: float, rest: float = 8) -> Answer:
    return lambda blocks: each * blocks + rest


def _rests(*rests: float) -> list[Answer]:
    return [_radius(2, rest) for rest in rests]


EXERCISE = Exercise(
    receptive_radius,
    level="hard",
    cases={"two pixels more with each block, and eight for all other layers": (11, 16)},
    observe=_observe,
    mistakes={
        "A block adds 1 pixel in your count. How many 3x3 convolutions are in one residual block?": _radius(1),
        "That is counted in HR pixels, and a quarter of it in LR pixels, which are four times as wide.": [
            _radius(8, rest=32),
            _radius(8, rest=30),
            _radius(8, rest=31),
        ],
        "That is the width of a convolution or of the whole field. A 3x3 convolution looks 1 pixel to each side.": [
            _radius(3),
            _radius(4, rest=17),
            _radius(6),
        ],
        "The number of blocks makes no difference in your count, but each block looks further.": _radius(0, rest=40),
        "The 9x9 convolutions look 4 pixels to each side, not 9; which half of the width does your count take?": (
            _rests(12, 12.5, 13, 13.75, 14, 20.5, 21)
        ),
        "The layers after a pixel shuffle run on smaller pixels. How many LR pixels are 4 pixels of an image four "
        "times as large?": _rests(9.5, 10, 10.5, 11),
        "Half an LR pixel is left over. A tile is cut at whole pixels, so which way should it be rounded?": _rests(7.5),
        "One LR pixel is missing. Either the radius was rounded down (half a pixel still needs a whole one), or one "
        "3x3 convolution after the blocks or the tail was left out.": _rests(7),
        "The tail runs on the HR image, whose pixels are four times as fine as LR pixels, not twice.": _rests(8.5, 9),
        "Nothing after the first pixel shuffle is counted. It looks less far there, but it does look.": _rests(6),
    },
    also_right=[_radius(2)],
    otherwise={
        "what five blocks add": "From 11 to 16 blocks the radius should grow by what five blocks add.",
        "the layers before and after the blocks": "Without the blocks, the layers before and after them see another "
        "number of LR pixels.",
    },
    reveal=False,
    hints=(
        "Walk from one HR pixel back to LR and ask at each convolution how far it looks to one side.",
        "A k x k convolution looks k // 2 pixels further, counted in pixels of the image it runs on: after one pixel "
        "shuffle these are half as wide as an LR pixel, after two a quarter.",
    ),
)
