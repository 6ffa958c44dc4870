"""Lab 06: a residual block that depends on the time, with its norm over the channels of each pixel."""

from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

import srlab
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.blocks import in_a_list, variant
from srlab.course.exercises.networks import build


class FlowBlock(nn.Module):
    """norm, gain and shift from the time, SiLU, conv, SiLU, conv, add: `srlab.models.FlowBlock`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.time = nn.Linear(64, 2 * features)
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        """Bring the channels of each pixel of ``(N, C, h, w)`` to mean 0 and variance 1."""
        centered = x - x.mean(1, keepdim=True)
        return centered * (centered.square().mean(1, keepdim=True) + 1e-5).rsqrt()  # faster than a root and a division

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 64)`` to ``(N, features, h, w)``."""
        gain, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = self.conv1(F.silu(self.norm(x) * (1 + gain) + shift))
        return x + self.conv2(F.silu(inner))


class _OtherOrder(FlowBlock):
    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.time = self._modules.pop("time")  # created last


NO_NORM = (
    "Your class needs a second method, norm, because the network that you write next needs the same norm before its "
    "last layer."
)


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
    if not callable(getattr(block, "norm", None)):
        raise IncorrectAnswer(NO_NORM)
    if set(convs) != {tuple(x.shape[2:])}:
        return {"the layers": str(sizes), "the size of the maps": str(convs)}
    for place, (_, value) in enumerate(sorted(block.named_parameters())):
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
        "the norm": filled(block.norm(x)),
        "the output shape": shape,
        "the input is added at the end": skip,
        "the block with all of time's weights at zero": plain,
        "the time changes the output": bool((later - output).abs().max() > 1e-4),
        "the output": output,
    }


def _sizes(block: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by its name; the layers may be created in any order."""
    return {name: tuple(value.shape) for name, value in sorted(block.state_dict().items())}


_block = partial(variant, FlowBlock)


def _norm(norm: Answer) -> Answer:
    """Return a block with another norm."""
    return _block(norm=lambda features: norm)


def _over(*dims: int) -> object:
    """Return a norm with the mean and variance over these dimensions."""

    def norm(x: torch.Tensor) -> torch.Tensor:
        centered = x - x.mean(dims, keepdim=True)
        return centered / (centered.square().mean(dims, keepdim=True) + 1e-5).sqrt()

    return norm


def _forward(
    change: Answer = lambda block, x, gain, shift: block.norm(x) * (1 + gain) + shift,
    first: Answer = F.silu,
    second: Answer = F.silu,
    end: Answer = lambda x, inner: x + inner,
    after: Answer = lambda block, inner, gain, shift: inner,
) -> Answer:
    """Return a forward method with some parts replaced."""

    def forward(block: Any, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        gain, shift = block.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = after(block, block.conv1(first(change(block, x, gain, shift))), gain, shift)
        return end(x, block.conv2(second(inner)))

    return forward


def _broadcast(split: Answer) -> Answer:
    """Return a forward method that lines up gain and shift in its own way."""

    def forward(block: Any, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        gain, shift = split(block.time(time))
        inner = block.conv1(F.silu(block.norm(x) * (1 + gain) + shift))
        return x + block.conv2(F.silu(inner))

    return forward


EXERCISE = Exercise(
    FlowBlock,
    level="medium",
    points=4,
    cases={
        "a batch of three with its times": (sample(3, 6, 7, 5, low=-1), sample(3, 64, low=-1, seed=4)),
        "square maps with as many features": (sample(6, 6, 6, 6, low=-1, seed=5), sample(6, 64, low=-1, seed=6)),
        "pixels whose channels are equal": (sample(2, 1, 3, 4).repeat(1, 4, 1, 1), sample(2, 64, low=-1, seed=7)),
        "pixels whose channels are nearly equal": (
            sample(2, 1, 3, 4).repeat(1, 4, 1, 1) + 1e-4 * sample(2, 4, 3, 4, low=-1, seed=8),
            sample(2, 64, low=-1, seed=9),
        ),
    },
    observe=_observe,
    known_mistakes={
        NO_NORM: _block(
            _forward(lambda block, x, gain, shift: FlowBlock.norm(block, x) * (1 + gain) + shift),
            norm=lambda features: None,
        ),
        "You normalize over the image as well, so a tile would depend on its size. Each pixel has its own mean and "
        "variance. Over which dimension only?": [
            _norm(_over(1, 2, 3)),
            _norm(lambda x: F.group_norm(x, 2)),
            _norm(lambda x: F.group_norm(x, 1)),
        ],
        "You normalize each channel over the image. It's the other way around: over the channels, at each pixel.": [
            _norm(_over(2, 3)),
            _norm(lambda x: F.instance_norm(x)),
        ],
        "You normalize over the batch, so each image depends on the others, as with batch norm.": [
            _norm(_over(0, 2, 3)),
            _norm(_over(0)),
            _norm(_over(0, 1, 2, 3)),
        ],
        "You normalize over the last dimension, the columns. The channels are dimension 1.": [
            _norm(lambda x: F.layer_norm(x, x.shape[-1:])),
        ],
        "The mean isn't 0: you only scale.": [
            _norm(lambda x: x / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()),
            _norm(lambda x: F.normalize(x, dim=1)),
            _norm(lambda x: x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt()),
        ],
        "You subtract the mean, but the variance stays as it is. Divide by the standard deviation.": _norm(
            lambda x: x - x.mean(1, keepdim=True)
        ),
        "You divide by the variance. Its root brings the variance to 1.": _norm(
            lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5)
        ),
        "var and std divide by C - 1 unless you pass correction=0. So your variance is slightly less than 1.": [
            _norm(lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt()),
            _norm(lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)),
            _norm(lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5)),
        ],
        "Where all channels of a pixel are equal, you divide by 0. Add 1e-5 to the variance.": _norm(
            lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)
        ),
        "self.time needs two numbers per feature: a gain and a shift.": [
            _block(time=lambda features: nn.Linear(64, features)),
        ],
        "Your norm has weights. It doesn't need any, because the time does the scaling.": [
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
                lambda block, x, time: block.norm(x) + _forward(end=lambda x, inner: inner)(block, x, time),
            ),
        ],
        "Something comes after the addition. The block ends with it, so that x passes unchanged.": [
            _block(_forward(end=lambda x, inner: F.silu(x + inner))),
            _block(lambda block, x, time: block.norm(_forward()(block, x, time))),
        ],
        "While the time's weights are zero, your block multiplies the features by zero. Scale by 1 + gain, so that "
        "zero changes nothing.": _block(_forward(lambda block, x, gain, shift: block.norm(x) * gain + shift)),
        "Your block ignores the time: gain and shift aren't used.": [
            _block(_forward(lambda block, x, gain, shift: block.norm(x))),
        ],
        "The time only shifts your features. What multiplies them?": (
            _block(_forward(lambda block, x, gain, shift: block.norm(x) + shift))
        ),
        "The time only scales your features. What is added to them?": (
            _block(_forward(lambda block, x, gain, shift: block.norm(x) * (1 + gain)))
        ),
        "You swapped gain and shift: the first half of the 2 * features numbers is the gain.": (
            _block(_forward(lambda block, x, gain, shift: block.norm(x) * (1 + shift) + gain))
        ),
        "There is no norm. It comes first.": _block(_forward(lambda block, x, gain, shift: x * (1 + gain) + shift)),
        "The norm comes after gain and shift, so it removes part of what they do. Normalize first.": (
            _block(_forward(lambda block, x, gain, shift: block.norm(x * (1 + gain) + shift)))
        ),
        "You shift before you scale, so the shift is scaled as well.": (
            _block(_forward(lambda block, x, gain, shift: (block.norm(x) + shift) * (1 + gain)))
        ),
        "Scale and shift come after the first convolution. They belong before it, right after the norm.": (
            _block(
                _forward(
                    lambda block, x, gain, shift: block.norm(x),
                    after=lambda block, inner, gain, shift: inner * (1 + gain) + shift,
                )
            )
        ),
        "The activation before the first convolution is missing.": _block(_forward(first=torch.clone)),
        "The activation between the convolutions is missing.": _block(_forward(second=torch.clone)),
        "There is no activation at all.": _block(_forward(first=torch.clone, second=torch.clone)),
        "You used ReLU. The diagram has SiLU.": [
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
    notes={
        "You add 1e-5 to the standard deviation. The text adds it to the variance, so that small differences between "
        "nearly equal channels aren't amplified as much.": (
            _norm(lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, correction=0) + 1e-5))
        ),
    },
    also_accepted=[
        _OtherOrder,
        _norm(lambda x: F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2]).permute(0, 3, 1, 2)),
        _norm(lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()),
        _norm(lambda x: (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)),
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
        "the norm": "The channels of each pixel should have mean 0 and variance 1.",
        "the input is added at the end": "With both convolutions at zero, the block should return its input.",
        "the time changes the output": "Another time should give another output.",
        "the output": "All layers are there, but the output differs. Compare with the diagram: norm, gain "
        "and shift, SiLU, convolution, SiLU, convolution, addition.",
    },
    tolerance=1e-3,
    reveal=False,
    hints=(
        "self.time(time) has 2 * features numbers per image. chunk splits them into two halves, and [:, :, None, None] "
        "adds two dimensions.",
        "The norm subtracts x.mean(1, keepdim=True). It divides by the root of the result's mean square plus 1e-5.",
        "self.norm(x) * (1 + gain) + shift, SiLU, conv1, SiLU, conv2, and x added at the end.",
    ),
)
