"""Lab 01: the residual block of SRResNet."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward, variant
from srlab.course.exercises.networks import build, calls, reaches, set_weights, strays


class ResidualBlock(nn.Module):
    """conv, BN, PReLU, conv, BN, add (Ledig et al. 2017, figure 4); `srlab.models.ResidualBlock` does the same."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(features)
        self.act = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        inner = self.act(self.norm1(self.conv1(x)))
        return x + self.norm2(self.conv2(inner))


def _observe(answer: Answer, x: torch.Tensor) -> dict[str, Any]:
    block = build(answer, x.shape[1])
    before = x.clone()
    shape = str(tuple(filled(block(x)).shape))
    if not torch.equal(x, before):
        return {"the input stays as it came": False}
    made = calls(block, x)
    sizes = {"x".join(map(str, call.weights[0].shape[2:])) for call in made if call.kind == "conv2d"}
    own = [id(call.weights[0]) for call in made if call.weights[0] is not None]
    missed = strays(block, x)
    for weights in (weights for call in made if call.kind == "conv2d" for weights in call.weights):
        if weights is not None:
            weights.data = torch.zeros_like(weights)
    without = block(x)
    set_weights(block, x)
    trained = block(x)
    layers = {id(weights) for call in made for weights in call.weights}
    slopes = [parameter for parameter in block.parameters() if id(parameter) not in layers]
    slope = "fixed" if not slopes else "learned" if reaches(trained.sum(), slopes) else "unused"
    return {
        "the input stays as it came": True,
        "the shape stays": shape,
        "the input is added at the end, untouched": without,
        "the convolutions": [call.kind for call in made].count("conv2d"),
        "their sizes": " and ".join(sorted(sizes)),
        "the batch norms": [call.kind for call in made].count("batch_norm"),
        "weights of their own": len(own) == len(set(own)),
        "where the weights are": missed,
        "the order of the layers": trained,
        "the slope of the activation": slope,
        "the running averages of batch norm": not torch.allclose(block.eval()(x), trained, atol=1e-3),
    }


_block = partial(variant, ResidualBlock)


def _branch(block: ResidualBlock, x: torch.Tensor) -> torch.Tensor:
    return block.norm2(block.conv2(block.act(block.norm1(block.conv1(x)))))


def _right(block: ResidualBlock, x: torch.Tensor) -> torch.Tensor:
    return x + _branch(block, x)


def _convs(size: int, padding: int, features: int | None = None) -> dict[str, Callable[[int], nn.Module]]:
    return dict.fromkeys(
        ("conv1", "conv2"), lambda given: nn.Conv2d(features or given, features or given, size, padding=padding)
    )


EXERCISE = Exercise(
    ResidualBlock,
    level="medium",
    points=3,
    cases={"conv, BN, PReLU, conv, BN, and the input added at the end": (sample(2, 6, 7, 9, low=-1),)},
    observe=_observe,
    known_mistakes={
        "The input is changed in place, by +=, a method that ends in _ or inplace=True. Whoever made it still needs it "
        "as it was, and so does backward. Leave x as it is, and return a new sum.": [
            _block(lambda block, x: x.add_(_branch(block, x))),
            _block(lambda block, x: x.relu_() + _branch(block, x)),
        ],
        "What comes out of the layers has another shape than the input, so the two can't be added. Which padding keeps "
        "a 3x3 convolution from shrinking the maps, and which numbers of channels go in and out?": [
            _block(_right, **_convs(3, padding=0)),
            _block(lambda block, x: x + torch.cat([x, _branch(block, x)], 1)),
            _block(_branch, **_convs(3, padding=0)),
        ],
        "A block for 6 features has convolutions for another number. Is `features` used?": (
            _block(_right, **_convs(3, padding=1, features=8))
        ),
        "With all convolutions at zero nothing is left of the input. The block should learn a correction to its input; "
        "where does the input come in at the end?": _block(_branch),
        "With all convolutions at zero the block should hand its input on, but negative values come out changed: an "
        "activation stands after the addition, and would bend the skip in every block.": [
            _block(lambda block, x: block.act(_right(block, x))),
            _block(lambda block, x: F.relu(_right(block, x))),
        ],
        "The skip goes through a batch norm: is the addition before the last one, or after it?": (
            _block(lambda block, x: block.norm2(x + block.conv2(block.act(block.norm1(block.conv1(x))))))
        ),
        "The convolutions should be 3x3.": [
            _block(_right, **_convs(5, padding=2)),
            _block(_right, **_convs(1, padding=0)),
        ],
        "The same convolution runs twice, so both share their weights. Give each its own.": (
            _block(lambda block, x: x + block.norm2(block.conv1(block.act(block.norm1(block.conv1(x))))))
        ),
        "One batch norm serves both convolutions: its running statistics mix two different feature maps, and what it "
        "does in evaluation fits neither. Each convolution needs its own.": (
            _block(lambda block, x: x + block.norm1(block.conv2(block.act(block.norm1(block.conv1(x))))))
        ),
        "Between the two convolutions nothing bends the signal: two linear steps are one. What is missing?": (
            _block(_right, act=lambda _: nn.Identity())
        ),
        "The activation comes before the batch norm here; in the SRGAN paper it comes after.": (
            _block(lambda block, x: x + block.norm2(block.conv2(block.norm1(block.act(block.conv1(x))))))
        ),
        "An activation stands before the addition, so the correction is bent once more. The block has one activation, "
        "between the convolutions.": [
            _block(lambda block, x: x + block.act(_branch(block, x))),
            _block(lambda block, x: x + block.act(block.norm2(block.conv2(block.norm1(block.conv1(x)))))),
        ],
        "The activation is one with a fixed slope, as ReLU's. The paper's learns the slope below zero.": [
            _block(_right, act=lambda _, slope=slope: nn.LeakyReLU(slope)) for slope in (0.0, 0.01, 0.1, 0.2, 0.25)
        ],
        "The slope is there, but it's read as a plain number, so no gradient reaches it and it's never learned. Call "
        "the activation itself.": _block(
            lambda block, x: (
                x + block.norm2(block.conv2(F.leaky_relu(block.norm1(block.conv1(x)), block.act.weight.item())))
            )
        ),
        "The batch norms keep no running averages, so in use the block still takes the statistics of whatever image it "
        "gets. Leave track_running_stats as it is.": _block(
            _right,
            **dict.fromkeys(("norm1", "norm2"), lambda features: nn.BatchNorm2d(features, track_running_stats=False)),
        ),
        "The layers are in a plain Python list (or a dict), where PyTorch doesn't look: parameters() leaves them out, "
        "so no optimizer would train them. Give each a name of its own, self.conv1 and so on, or use nn.Sequential.": (
            in_a_list(ResidualBlock)
        ),
        "Layers are made in forward, so each call starts with new random weights and nothing that is learned is kept. "
        "Make them once, in __init__.": made_in_forward(ResidualBlock),
    },
    also_accepted=[
        _block(_right, conv1=lambda features: nn.Conv2d(features, features, 3, padding=1, bias=False)),
        _block(_right, act=nn.PReLU),
    ],
    fallback_messages={
        "the convolutions": "The block should use a convolution twice, but uses {given}. Go through figure 4 again.",
        "their sizes": "The convolutions should be 3x3, but are {given}.",
        "the batch norms": "The block should use a batch norm twice, but uses {given}. Go through figure 4 again.",
        "weights of their own": "Two layers share their weights. Give each its own.",
        "the input is added at the end, untouched": "With all convolutions at zero the block should hand on its input.",
        "the order of the layers": "The layers are there, but not as in figure 4. Is their order the same, and is "
        "nothing else changed, such as a sign, the number of channels, the kind of activation, or the padding?",
        "where the weights are": "Some weights are not among the block's parameters().",
        "the slope of the activation": "The activation's slope below zero should be learned; here it is {given}.",
        "the running averages of batch norm": "In use, the batch norms should take their running averages.",
    },
    hints=(
        "The block computes a correction and adds it to what came in; follow the drawing above.",
        "The correction is conv 3x3, BN, PReLU, conv 3x3, BN. All five keep the shape.",
    ),
)
