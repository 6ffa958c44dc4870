"""Exercises of lab 01: the residual block, the pixel shuffle, the receptive field; and those of `_records`."""

import math
from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.exercises import _records, _written_out
from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor

# --- The residual block -------------------------------------------------------------------------------------


def _block_shape(answer: Answer) -> None:
    if isinstance(answer, nn.Module):
        raise Wrong("check needs the class itself, not a block made from it. Give the name without brackets.")
    block, x = filled(answer(6)), sample(2, 6, 7, 9, low=-1)
    if not isinstance(block, nn.Module):
        raise Wrong("The block should be a torch.nn.Module.")
    convs = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    shrinks = any(layer.kernel_size != (1, 1) and layer.padding in (0, (0, 0), "valid") for layer in convs)
    padding = "Each convolution takes a rim off the feature maps. What keeps a 3x3 convolution from shrinking them?"
    given = x.clone()
    try:
        result = block(given)
    except RuntimeError as error:
        if shrinks:
            raise Wrong(padding) from error
        if any(layer.in_channels != 6 for layer in convs):
            raise Wrong("A block for 6 features has convolutions for another number. Is `features` used?") from error
        raise
    tensor(result, (2, 6, 7, 9), padding if shrinks else "A residual block keeps the shape.")
    if not torch.equal(given, x):
        raise Wrong("The block changes its input in place, and whoever uses that again gets something else.")


def _block_skip(answer: Answer) -> None:
    block, x = answer(6), sample(2, 6, 7, 9, low=-1)
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
    result = tensor(block(x), (2, 6, 7, 9))
    if near(result, x):
        return
    positive = x > 0
    if not near(result, torch.zeros_like(x)) and near(result[positive], x[positive]):
        raise Wrong(
            "With all convolutions at zero the block should hand its input on, but negative values come out changed: "
            "an activation stands after the addition, and would bend the skip in every block."
        )
    normalised = F.batch_norm(x, None, None, training=True)
    mistakes = [
        (
            "With all convolutions at zero nothing is left of the input. The block should learn a correction to its "
            "input; where does the input come in at the end?",
            torch.zeros_like(x),
        ),
        ("The skip goes through a batch norm: is the addition before the last one, or after it?", normalised),
    ]
    compare(result, x, mistakes, "With all convolutions at zero the block should hand on its input.")


def _calls(block: nn.Module, x: torch.Tensor, kind: type[nn.Module]) -> list[nn.Module]:
    """The layers of one kind in the order in which the block uses them, with repetitions."""
    called = []
    hooks = [
        layer.register_forward_hook(lambda layer, *_: called.append(layer))
        for layer in block.modules()
        if isinstance(layer, kind)
    ]
    block(x)
    for hook in hooks:
        hook.remove()
    return called


def _block_layers(answer: Answer) -> None:
    block, x = answer(6), sample(2, 6, 7, 9, low=-1)
    for kind, what, repeated in (
        (nn.Conv2d, "convolution", "The same convolution runs twice, so both share their weights. Give each its own."),
        (
            nn.BatchNorm2d,
            "batch norm",
            "One batch norm serves both convolutions: its running statistics mix two different feature maps, and "
            "what it does in evaluation fits neither. Each convolution needs its own.",
        ),
    ):
        called = _calls(block, x, kind)
        if max(Counter(called).values(), default=1) > 1:
            raise Wrong(repeated)
        if len(called) != 2:
            raise Wrong(f"The block should use a {what} twice, but uses {len(called)}. Go through figure 4 again.")
    sizes = {layer.kernel_size for layer in _calls(block, x, nn.Conv2d)}
    if sizes != {(3, 3)}:
        raise Wrong(f"The convolutions should be 3x3, but are {' and '.join(f'{a}x{b}' for a, b in sorted(sizes))}.")


def _block_order(answer: Answer) -> None:
    block, x = answer(6), sample(2, 6, 7, 9, low=-1)
    (conv1, conv2), (norm1, norm2) = _calls(block, x, nn.Conv2d), _calls(block, x, nn.BatchNorm2d)
    prelu = next((layer for layer in block.modules() if isinstance(layer, nn.PReLU)), nn.PReLU())
    inner = norm1(conv1(x))
    mistakes = [
        (
            "Between the two convolutions nothing bends the signal: two linear steps are one. What is missing?",
            norm2(conv2(inner)),
        ),
        (
            "The activation comes before the batch norm here; in the SRGAN paper it comes after.",
            norm2(conv2(norm1(prelu(conv1(x))))),
        ),
        (
            "An activation stands before the addition, so the correction is bent once more. The block has one "
            "activation, between the convolutions.",
            prelu(norm2(conv2(prelu(inner)))),
        ),
    ] + [
        (
            "The activation is a ReLU with a fixed slope. The paper's learns the slope below zero.",
            norm2(conv2(F.leaky_relu(inner, slope))),
        )
        for slope in (0.0, 0.01, 0.1, 0.2)
    ]
    mistakes = [(hint, x + branch) for hint, branch in mistakes]
    compare(block(x), x + norm2(conv2(prelu(inner))), mistakes, "The layers are there, but not in the paper's order.")


# --- The pixel shuffle --------------------------------------------------------------------------------------


def _shuffled(x: torch.Tensor, scale: int, split: tuple[int, ...], order: tuple[int, ...]) -> torch.Tensor:
    """Split the channels, move the axes, and take the result as an image `scale` times as large."""
    count, channels, height, width = x.shape
    sizes = {0: channels // scale**2, 1: scale, 2: scale}
    moved = x.reshape(count, *(sizes[part] for part in split), height, width).permute(order)
    return moved.reshape(count, channels // scale**2, height * scale, width * scale)


def _shuffle(scale: int) -> Answer:
    def step(answer: Answer) -> None:
        channels = 2 * scale**2
        x = sample(2, channels, 6, 12)
        shape = (2, 2, 6 * scale, 12 * scale)
        result = answer(x.clone(), scale)
        if tuple(getattr(result, "shape", ())) == (2, channels * scale**2, 6 // scale, 12 // scale):
            raise Wrong("This goes the other way, from a large image to many channels.")
        result = tensor(result, shape, "Channels become fewer by scale^2, height and width larger by scale.")
        mistakes = [
            (
                "Every block of sub-pixels is mirrored along its diagonal. The first of the two scale axes counts "
                "rows: next to which axis does it belong?",
                _shuffled(x, scale, (0, 1, 2), (0, 1, 4, 3, 5, 2)),
            ),
            (
                "The shape is right, but the values were read off in their old order, and neighbours in the result "
                "come from far apart. A reshape moves nothing; which step brings the axes into a new order?",
                x.reshape(shape),
            ),
            (
                "The result shows small copies of the image side by side. Within a row, the sub-pixels of one LR pixel "
                "should be neighbours; which axis runs faster?",
                _shuffled(x, scale, (0, 1, 2), (0, 1, 2, 4, 3, 5)),
            ),
            (
                "The sub-pixels end up in the wrong channels. In torch's order the scale^2 channels of one colour "
                "follow each other.",
                _shuffled(x, scale, (1, 2, 0), (0, 3, 4, 1, 5, 2)),
            ),
        ]
        compare(result, F.pixel_shuffle(x, scale), mistakes, "Some sub-pixels are in the wrong place.")

    return step


# --- The receptive field ------------------------------------------------------------------------------------


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


def _radius(answer: Answer, blocks: int) -> float:
    return float(tensor(answer(blocks), ()))


def _radius_slope(answer: Answer) -> None:
    wide = "That is the width of a convolution or of the whole field. A 3x3 convolution looks 1 pixel to each side."
    mistakes = [
        ("A block adds 1 pixel in your count. How many 3x3 convolutions are in one residual block?", 1.0),
        (wide, 3.0),
        (wide, 4.0),
        (wide, 6.0),
        ("The number of blocks makes no difference in your count, but each block looks further.", 0.0),
    ]
    grown = _radius(answer, 9) - _radius(answer, 4)
    otherwise = "From 4 to 9 blocks the radius should grow by what five blocks add."
    compare(grown, 10.0, [(hint, 5 * v) for hint, v in mistakes], otherwise, reveal=False)


def _radius_offset(answer: Answer) -> None:
    rest = _radius(answer, 16) - 32
    wide = "The 9x9 convolutions look 4 pixels to each side, not 9; which half of the width does your count take?"
    coarse = (
        "The layers after a pixel shuffle run on smaller pixels. How many LR pixels are 4 pixels of an image "
        "four times as large?"
    )
    finest = "The tail runs on the HR image, whose pixels are four times as fine as LR pixels, not twice."
    missing = (
        "One LR pixel is missing. Either the radius was rounded down (half a pixel still needs a whole one), or one "
        "3x3 convolution after the blocks or the tail was left out."
    )
    mistakes = [
        *((wide, v) for v in (12, 12.5, 13, 13.75, 14, 20.5, 21)),
        *((coarse, v) for v in (9.5, 10, 10.5, 11)),
        ("Half an LR pixel is left over. A tile is cut at whole pixels, so which way should it be rounded?", 7.5),
        (missing, 7),
        *((finest, v) for v in (8.5, 9)),
        ("Nothing after the first pixel shuffle is counted. It looks less far there, but it does look.", 6),
    ]
    otherwise = "Without the blocks, the layers before and after them see another number of LR pixels."
    compare(rest, 8.0, [(hint, float(v)) for hint, v in mistakes], otherwise, reveal=False)


EXERCISES = {
    "srresnet.ResidualBlock": Exercise(
        _written_out.ResidualBlock,
        (
            ("the shape stays", _block_shape),
            ("the input is added at the end, untouched", _block_skip),
            ("two 3x3 convolutions, each with its own batch norm", _block_layers),
            ("conv, BN, PReLU, conv, BN, add", _block_order),
        ),
        "medium",
        (
            "The block computes a correction and adds it to what came in; see figure 4 of the SRGAN paper.",
            "The correction is conv 3x3, BN, PReLU, conv 3x3, BN. All five keep the shape.",
        ),
    ),
    "srresnet.pixel_shuffle": Exercise(
        _written_out.pixel_shuffle,
        (("scale 2", _shuffle(2)), ("scale 3", _shuffle(3))),
        "hard",
        (
            "Four channels of one LR pixel become a block of 2x2 pixels, row by row. Try it on a 1x1 image first.",
            "Split the channels into three axes (colour, row in the block, column in the block), bring each next to "
            "the axis it belongs to, and merge.",
        ),
    ),
    "srresnet.receptive_radius": Exercise(
        receptive_radius,
        (("two pixels more with each block", _radius_slope), ("16 blocks reach 40 LR pixels", _radius_offset)),
        "hard",
        (
            "Walk from one HR pixel back to LR and ask at each convolution how far it looks to one side.",
            "A k x k convolution looks k // 2 pixels further, counted in pixels of the image it runs on: after one "
            "pixel shuffle these are half as wide as an LR pixel, after two a quarter.",
        ),
    ),
} | _records.EXERCISES
