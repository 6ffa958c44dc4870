"""Lab 06: a residual block that depends on the time."""

from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

import srlab
from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, variant
from srlab.course.exercises.flow.channel_norm import channel_norm
from srlab.course.exercises.networks import build


class FlowBlock(nn.Module):
    """norm, scale and shift by the time, SiLU, conv, SiLU, conv, add: `srlab.models.FlowBlock`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.time = nn.Linear(64, 2 * features)
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 64)`` to ``(N, features, h, w)``."""
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = self.conv1(F.silu(channel_norm(x) * (1 + scale) + shift))
        return x + self.conv2(F.silu(inner))


def _observe(answer: Answer, x: torch.Tensor, time: torch.Tensor) -> dict[str, Any]:
    block = build(answer, x.shape[1])
    before, sizes = x.clone(), _sizes(block)
    same = sizes == _sizes(FlowBlock(x.shape[1]))
    convs = [tuple(conv(x).shape[2:]) for conv in (block.conv1, block.conv2)] if same else []
    try:
        output = filled(block(x, time))
    except RuntimeError:
        if same and set(convs) == {tuple(x.shape[2:])}:
            raise
    if not same:
        return {"the layers": str(sizes)}
    if set(convs) != {tuple(x.shape[2:])}:
        return {"the layers": str(sizes), "the size of the maps": str(convs)}
    for place, value in enumerate(block.parameters()):
        value.data = sample(*value.shape, low=-0.4, high=0.4, seed=place)
    if not torch.equal(x, before):
        return {"the layers": str(sizes), "the size of the maps": str(convs), "the input is unchanged": False}
    shape = str(tuple(output.shape))
    output = block(x, time)
    later = block(x, time + 1)
    weights = [value.data.clone() for value in block.parameters()]
    block.time.weight.data.zero_()
    block.time.bias.data.zero_()
    plain = block(x, time)
    for value in (block.conv1, block.conv2):
        value.weight.data.zero_()
        value.bias.data.zero_()
    skip = block(x, time)
    for value, kept in zip(block.parameters(), weights, strict=True):
        value.data = kept
    return {
        "the layers": str(sizes),
        "the size of the maps": str(convs),
        "the input is unchanged": True,
        "the output shape": shape,
        "the input is added at the end": skip,
        "the block with all of time's weights at zero": plain,
        "the time changes the output": bool((later - output).abs().max() > 1e-4),
        "the output": output,
    }


def _sizes(block: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by its name."""
    return {name: tuple(value.shape) for name, value in block.state_dict().items()}


_block = partial(variant, FlowBlock)


def _forward(
    change: Answer = lambda block, x, scale, shift: channel_norm(x) * (1 + scale) + shift,
    first: Answer = F.silu,
    second: Answer = F.silu,
    end: Answer = lambda x, inner: x + inner,
    after: Answer = lambda block, inner, scale, shift: inner,
) -> Answer:
    """Return a forward method with some parts replaced."""

    def forward(block: Any, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        scale, shift = block.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = after(block, block.conv1(first(change(block, x, scale, shift))), scale, shift)
        return end(x, block.conv2(second(inner)))

    return forward


def _broadcast(split: Answer) -> Answer:
    """Return a forward method that lines up scale and shift in its own way."""

    def forward(block: Any, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        scale, shift = split(block.time(time))
        inner = block.conv1(F.silu(channel_norm(x) * (1 + scale) + shift))
        return x + block.conv2(F.silu(inner))

    return forward


EXERCISE = Exercise(
    FlowBlock,
    level="medium",
    points=3,
    cases={
        "a batch of three with its times": (sample(3, 6, 7, 5, low=-1), sample(3, 64, low=-1, seed=4)),
        "square maps with as many features": (sample(6, 6, 6, 6, low=-1, seed=5), sample(6, 64, low=-1, seed=6)),
    },
    observe=_observe,
    known_mistakes={
        "self.time needs two numbers per feature: a scale and a shift.": [
            _block(time=lambda features: nn.Linear(64, features)),
        ],
        "Your norm has weights of its own. channel_norm has none, because the time does the scaling.": [
            _block(norm=lambda features: nn.GroupNorm(2, features)),
            _block(norm=lambda features: nn.LayerNorm(features)),
        ],
        "Both convolutions need a bias and 3x3 weights, under the names conv1 and conv2.": [
            _block(conv2=lambda features: nn.Identity()),
            _block(conv1=lambda features: nn.Conv2d(features, features, 3, padding=1, bias=False)),
            _block(conv1=lambda features: nn.Conv2d(features, features, 1)),
            _block(
                conv1=lambda features: nn.Conv2d(features, features, 1),
                conv2=lambda features: nn.Conv2d(features, features, 1),
            ),
        ],
        "The maps come out smaller, so x can't be added. Which padding keeps the size?": [
            _block(conv1=lambda features: nn.Conv2d(features, features, 3)),
            _block(
                conv1=lambda features: nn.Conv2d(features, features, 3),
                conv2=lambda features: nn.Conv2d(features, features, 3),
            ),
        ],
        "Your layers are in a plain Python list (or a dict), where PyTorch doesn't look. Give each its own name.": [
            in_a_list(FlowBlock),
        ],
        "With both convolutions at zero, the block should return its input: what it learns is a correction. Where does "
        "x come in at the end?": [
            _block(_forward(end=lambda x, inner: inner)),
        ],
        "You add the normalized features at the end. The skip passes x itself, unchanged.": [
            _block(
                lambda block, x, time: channel_norm(x) + _forward(end=lambda x, inner: inner)(block, x, time),
            ),
        ],
        "Something comes after the addition. The block ends with it, so that x passes unchanged.": [
            _block(_forward(end=lambda x, inner: F.silu(x + inner))),
            _block(lambda block, x, time: channel_norm(_forward()(block, x, time))),
        ],
        "While the time's weights are zero, your block multiplies the features by zero. Scale by 1 + scale, so that "
        "zero changes nothing.": _block(_forward(lambda block, x, scale, shift: channel_norm(x) * scale + shift)),
        "Your block ignores the time: scale and shift aren't used.": [
            _block(_forward(lambda block, x, scale, shift: channel_norm(x))),
        ],
        "The time only shifts your features. What multiplies them?": (
            _block(_forward(lambda block, x, scale, shift: channel_norm(x) + shift))
        ),
        "The time only scales your features. What is added to them?": (
            _block(_forward(lambda block, x, scale, shift: channel_norm(x) * (1 + scale)))
        ),
        "You swapped scale and shift: the first half of the 2 * features numbers is the scale.": (
            _block(_forward(lambda block, x, scale, shift: channel_norm(x) * (1 + shift) + scale))
        ),
        "There is no norm. It comes first.": _block(_forward(lambda block, x, scale, shift: x * (1 + scale) + shift)),
        "The norm comes after scale and shift, and removes part of what they do. Normalize first.": (
            _block(_forward(lambda block, x, scale, shift: channel_norm(x * (1 + scale) + shift)))
        ),
        "You shift before you scale, so the shift is scaled, too.": (
            _block(_forward(lambda block, x, scale, shift: (channel_norm(x) + shift) * (1 + scale)))
        ),
        "Scale and shift come after the first convolution. They belong before it, right after the norm.": (
            _block(
                _forward(
                    lambda block, x, scale, shift: channel_norm(x),
                    after=lambda block, inner, scale, shift: inner * (1 + scale) + shift,
                )
            )
        ),
        "The activation before the first convolution is missing.": _block(_forward(first=torch.clone)),
        "The activation between the convolutions is missing.": _block(_forward(second=torch.clone)),
        "There is no activation at all.": _block(_forward(first=torch.clone, second=torch.clone)),
        "You used ReLU. The drawing has SiLU.": [
            _block(_forward(first=F.relu, second=F.relu)),
            _block(_forward(first=F.relu)),
            _block(_forward(second=F.relu)),
        ],
        "You change x in place. Other code still needs it. Make a new tensor.": [
            _block(_forward(end=lambda x, inner: x.add_(inner))),
        ],
        "Scale and shift don't line up with the maps: they are (N, features), and the maps are (N, features, h, w). "
        "Each image and each feature has its own number, for all of its pixels.": [
            _block(_broadcast(lambda both: both.chunk(2, dim=1))),
            _block(_broadcast(lambda both: both[..., None].chunk(2, dim=1))),
            _block(_broadcast(lambda both: both[None, None].chunk(2, dim=-1))),
            _block(_broadcast(lambda both: both[:, :, None, None].chunk(2, dim=0))),
        ],
    },
    also_accepted=[
        _block(
            _broadcast(
                lambda both: (
                    both[:, : both.shape[1] // 2, None, None],
                    both[:, both.shape[1] // 2 :, None, None],
                )
            )
        ),
        srlab.models.FlowBlock,
        _block(norm=lambda features: srlab.models.flow.ChannelNorm()),
    ],
    fallback_messages={
        "the layers": "Your layers have other names or shapes than in the docstring: {given}.",
        "the input is added at the end": "With both convolutions at zero, the block should return its input.",
        "the time changes the output": "Another time should give another output.",
        "the output": "All layers are there, but the output differs. Compare with the drawing: norm, scale "
        "and shift, SiLU, convolution, SiLU, convolution, addition.",
    },
    tolerance=1e-3,
    reveal=False,
    hints=(
        "self.time(time) has 2 * features numbers per image. chunk splits them into two halves, and [:, :, None, None] "
        "adds two dimensions.",
        "channel_norm(x) * (1 + scale) + shift, SiLU, conv1, SiLU, conv2, and x added at the end.",
    ),
)
