"""Lab 01: the residual block of SRResNet, whose published code shared a batch norm."""

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
    """conv, BN, PReLU, conv, BN, add (Ledig et al. 2017, figure 4), as in `srlab.models.ResidualBlock`."""

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
        return {"the input is unchanged": False}
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
        "the input is unchanged": True,
        "the output shape": shape,
        "the input is added unchanged at the end": without,
        "the number of convolutions": [call.kind for call in made].count("conv2d"),
        "the kernel sizes": " and ".join(sorted(sizes)),
        "the number of batch norms": [call.kind for call in made].count("batch_norm"),
        "separate weights for each layer": len(own) == len(set(own)),
        "where the weights are stored": missed,
        "the order of the layers": trained,
        "the slope of the activation": slope,
        "the running statistics of batch norm": not torch.allclose(block.eval()(x), trained, atol=1e-3),
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
    points=4,
    cases={"conv, BN, PReLU, conv, BN, and the input added at the end": (sample(2, 6, 7, 9, low=-1),)},
    observe=_observe,
    known_mistakes={
        "You change the input in place: with +=, a method whose name ends in _, or inplace=True. Other code and "
        "backward still need the original. Leave x unchanged, and return a new sum.": [
            _block(lambda block, x: x.add_(_branch(block, x))),
            _block(lambda block, x: x.relu_() + _branch(block, x)),
        ],
        "The output of your layers doesn't have the shape of the input, so the two can't be added. Which padding keeps "
        "the size of the maps in a 3x3 convolution? How many channels go in and out?": [
            _block(_right, **_convs(3, padding=0)),
            _block(lambda block, x: x + torch.cat([x, _branch(block, x)], 1)),
            _block(_branch, **_convs(3, padding=0)),
        ],
        "Your block for 6 features has convolutions for a different number. Do you use `features`?": (
            _block(_right, **_convs(3, padding=1, features=8))
        ),
        "With all convolutions at zero, nothing is left of the input. The block should learn a correction to its "
        "input. Where does the input come in at the end?": _block(_branch),
        "With all convolutions at zero, the block should return its input, but negative values come out changed. You "
        "apply an activation after the addition, which would distort the skip in every block.": [
            _block(lambda block, x: block.act(_right(block, x))),
            _block(lambda block, x: F.relu(_right(block, x))),
        ],
        "Your skip goes through a batch norm. Is the addition before the last one, or after it?": (
            _block(lambda block, x: block.norm2(x + block.conv2(block.act(block.norm1(block.conv1(x))))))
        ),
        "The convolutions should be 3x3.": [
            _block(_right, **_convs(5, padding=2)),
            _block(_right, **_convs(1, padding=0)),
        ],
        "The same convolution runs twice, so its weights are shared. Use two convolutions.": (
            _block(lambda block, x: x + block.norm2(block.conv1(block.act(block.norm1(block.conv1(x))))))
        ),
        "In training mode your block is fine; in eval mode it isn't. What does batch norm use in eval mode only, and "
        "whose features went into it?": (
            _block(lambda block, x: x + block.norm1(block.conv2(block.act(block.norm1(block.conv1(x))))))
        ),
        "You removed batch norm, and the bug with it, but this is a different block. How can you keep batch norm?": [
            _block(_right, norm1=lambda _: nn.Identity(), norm2=lambda _: nn.Identity()),
        ],
        "Only one convolution is followed by a batch norm. How can each have its own?": [
            _block(_right, norm2=lambda _: nn.Identity()),
            _block(_right, norm1=lambda _: nn.Identity()),
        ],
        "There is no nonlinearity between the two convolutions, so they collapse into one linear step. What is "
        "missing?": (_block(_right, act=lambda _: nn.Identity())),
        "You apply the activation before the batch norm. In the SRGAN paper it comes after.": (
            _block(lambda block, x: x + block.norm2(block.conv2(block.norm1(block.act(block.conv1(x))))))
        ),
        "Your correction goes through an activation just before the addition. The block has only one activation, "
        "between the convolutions.": [
            _block(lambda block, x: x + block.act(_branch(block, x))),
            _block(lambda block, x: x + block.act(block.norm2(block.conv2(block.norm1(block.conv1(x)))))),
        ],
        "Your activation has a fixed slope, like ReLU. The paper's activation learns its slope below zero.": [
            _block(_right, act=lambda _, slope=slope: nn.LeakyReLU(slope)) for slope in (0.0, 0.01, 0.1, 0.2, 0.25)
        ],
        "Your slope is read as a plain number, so no gradient reaches it and it's never learned. Call the activation "
        "itself.": _block(
            lambda block, x: (
                x + block.norm2(block.conv2(F.leaky_relu(block.norm1(block.conv1(x)), block.act.weight.item())))
            )
        ),
        "Your batch norms keep no running statistics, so in eval mode the block still uses those of the current image. "
        "Leave track_running_stats at its default.": _block(
            _right,
            **dict.fromkeys(("norm1", "norm2"), lambda features: nn.BatchNorm2d(features, track_running_stats=False)),
        ),
        "You keep the layers in a plain Python list (or a dict), where PyTorch doesn't look: parameters() misses them, "
        "so no optimizer would train them. Give each a name, such as self.conv1, or use nn.Sequential.": (
            in_a_list(ResidualBlock)
        ),
        "You create layers in forward, so each call starts with new random weights and loses what was learned. Create "
        "them once, in __init__.": made_in_forward(ResidualBlock),
    },
    also_accepted=[
        _block(_right, conv1=lambda features: nn.Conv2d(features, features, 3, padding=1, bias=False)),
        _block(_right, act=nn.PReLU),
    ],
    fallback_messages={
        "the number of convolutions": "The block should run two convolutions, but runs {given}. Go through figure 4 "
        "again.",
        "the kernel sizes": "The convolutions should be 3x3, but are {given}.",
        "the number of batch norms": "The block should run two batch norms, but runs {given}. Go through figure 4 "
        "again.",
        "separate weights for each layer": "Two layers share their weights. Give each its own.",
        "the input is added unchanged at the end": "With all convolutions at zero, the block should return its input.",
        "the order of the layers": "The layers are there, but not as in figure 4. Is their order the same? Did you "
        "change anything else, such as a sign, the number of channels, the kind of activation, or the padding?",
        "where the weights are stored": "Some weights are not among the block's parameters().",
        "the slope of the activation": "The activation's slope below zero should be learned, but is {given}.",
        "the running statistics of batch norm": "In eval mode, the batch norms should use their running statistics.",
    },
    hints=(
        "The loss is fine, so what the block computes in training mode is fine. What does it use in eval mode only?",
        "Batch norm's running statistics are averages of the features that pass through a layer. Whose features pass "
        "through this one?",
        "The correction is conv 3x3, BN, PReLU, conv 3x3, BN. How many layers does the block create?",
    ),
)
