"""Lab 01: the residual block of MSRResNet."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward, variant
from srlab.course.exercises.networks import build, calls, set_weights, strays


class Block(nn.Module):
    """conv 3x3, ReLU, conv 3x3, add; `srlab.models.ResidualBlockNoBN` does the same."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))


def _observe(answer: Answer, x: torch.Tensor) -> dict[str, Any]:
    block = build(answer, x.shape[1])
    before = x.clone()
    shape = str(tuple(filled(block(x)).shape))
    if not torch.equal(x, before):
        return {"the input is unchanged": False}
    made = calls(block, x)
    sizes = {"x".join(map(str, call.weights[0].shape[2:])) for call in made if call.kind == "conv2d"}
    own = [id(call.weights[0]) for call in made if call.weights[0] is not None]
    missed = strays(block, x)
    biases = all(call.weights[1] is not None for call in made)
    for weights in (weights for call in made if call.kind == "conv2d" for weights in call.weights):
        if weights is not None:
            weights.data = torch.zeros_like(weights)
    without = block(x)
    set_weights(block, x)
    return {
        "the input is unchanged": True,
        "the shape": shape,
        "the batch norms": [call.kind for call in made].count("batch_norm"),
        "the input is added at the end": without,
        "the convolutions": [call.kind for call in made].count("conv2d"),
        "their sizes": " and ".join(sorted(sizes)),
        "separate weights": len(own) == len(set(own)),
        "where the weights are": missed,
        "the biases": biases,
        "the order of the layers": block(x),
    }


_block = partial(variant, Block)


def _branch(block: Block, x: torch.Tensor) -> torch.Tensor:
    return block.conv2(F.relu(block.conv1(x)))


def _right(block: Block, x: torch.Tensor) -> torch.Tensor:
    return x + _branch(block, x)


def _convs(size: int, features: int | None = None, **options: Any) -> dict[str, Callable[[int], nn.Module]]:
    def conv(given: int) -> nn.Module:
        return nn.Conv2d(features or given, features or given, size, **({"padding": size // 2} | options))

    return dict.fromkeys(("conv1", "conv2"), conv)


def _bent(bend: Answer) -> Answer:
    return _block(lambda block, x: x + block.conv2(bend(block.conv1(x))))


EXERCISE = Exercise(
    Block,
    level="easy",
    points=2,
    cases={"conv, ReLU, conv, and the input added at the end": (sample(2, 6, 7, 9, low=-1),)},
    observe=_observe,
    known_mistakes={
        "You changed the input in place, for example with +=, a method that ends in _, or inplace=True. The skip needs "
        "it unchanged. Which operation returns a new tensor?": [
            _block(lambda block, x: x.add_(_branch(block, x))),
            _block(lambda block, x: x.relu_() + _branch(block, x)),
        ],
        "The layers return a different shape than the input, so you can't add the two. Which padding does a 3x3 "
        "convolution need, and how many channels go in and out?": [
            _block(_right, **_convs(3, padding=0)),
            _block(_branch, **_convs(3, padding=0)),
            _block(lambda block, x: x + torch.cat([x, _branch(block, x)], 1)),
        ],
        "A block for 6 features has convolutions for another number. Do you use `features`?": (
            _block(_right, **_convs(3, features=8))
        ),
        "This block has no batch norm: look at the lower half of the drawing.": [
            _block(lambda block, x: x + block.norm(_branch(block, x)), norm=nn.BatchNorm2d),
            _block(lambda block, x: x + block.conv2(F.relu(block.norm(block.conv1(x)))), norm=nn.BatchNorm2d),
        ],
        "With all convolutions at zero, nothing is left of the input. The block should learn a correction to its "
        "input. Where do you add the input?": _block(_branch),
        "With all convolutions at zero, the block should return its input, but negative values change: you bend the "
        "sum. Where does the activation belong?": [
            _block(lambda block, x: F.relu(_right(block, x))),
            _block(lambda block, x: F.leaky_relu(_right(block, x), 0.1)),
        ],
        "The convolutions should be 3x3.": [_block(_right, **_convs(5)), _block(_right, **_convs(1))],
        "The same convolution runs twice, so both steps share their weights. Does each have its own?": (
            _block(lambda block, x: x + block.conv1(F.relu(block.conv1(x))))
        ),
        "There is no activation between the convolutions, so together they are one linear step. What is missing?": (
            _bent(lambda x: x)
        ),
        "An activation comes before the addition, so the correction can only be positive. Where does the drawing have "
        "the ReLU?": [
            _block(lambda block, x: x + F.relu(_branch(block, x))),
            _block(lambda block, x: x + F.relu(block.conv2(block.conv1(x)))),
        ],
        "Your block bends negative values instead of setting them to zero. Which activation does the drawing have?": [
            *(_bent(partial(F.leaky_relu, negative_slope=slope)) for slope in (0.01, 0.1, 0.2, 0.25)),
            _block(lambda block, x: x + block.conv2(block.act(block.conv1(x))), act=lambda _: nn.PReLU()),
        ],
        "You scaled the correction. Add it as it is.": [
            _block(lambda block, x, share=share: x + share * _branch(block, x)) for share in (0.1, 0.2)
        ],
        "Your convolutions have no bias. Leave `bias` at its default.": _block(_right, **_convs(3, bias=False)),
        "Your layers are in a plain Python list (or a dict), where PyTorch doesn't look: parameters() leaves them out. "
        "How else can you store them? An attribute works.": in_a_list(Block),
        "You create layers in forward, so each call starts with new random weights, and nothing learned is kept. Where "
        "should you create them?": made_in_forward(Block),
    },
    also_accepted=[
        _block(lambda block, x: block.conv2(F.relu(block.conv1(x), inplace=True)) + x),
        _block(lambda block, x: x + block.conv2(block.act(block.conv1(x))), act=lambda _: nn.ReLU()),
        _block(lambda block, x: x + block.conv2(block.conv1(x).clamp(min=0))),
    ],
    fallback_messages={
        "the convolutions": "The block should use a convolution twice, but uses {given}. Look at the drawing again.",
        "their sizes": "The convolutions should be 3x3, but are {given}.",
        "separate weights": "Two layers share their weights. Does each have its own?",
        "the input is added at the end": "With all convolutions at zero, the block should return its input.",
        "the order of the layers": "All layers are there, but the result differs. Check their order, a sign, the "
        "activation and the padding.",
        "where the weights are": "Some weights are missing from the block's parameters().",
    },
    hints=(
        "The block computes a correction and adds it to its input. Follow the lower half of the drawing.",
        "Create two 3x3 convolutions with padding=1 in __init__; in forward, use F.relu between them and add x.",
    ),
)
