"""Lab 04: a dense block."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward
from srlab.course.exercises.networks import build, noted, reaches, strays


class DenseBlock(nn.Module):
    """Three convolutions, each of which sees the outputs of all before it; the idea of Wang et al. 2018, figure 4.

    The block of the paper has five; see `srlab.models.ResidualDenseBlock`.

    Parameters
    ----------
    features
        Channels of input and output.
    growth
        Channels that each of the first two convolutions adds.
    """

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        first = F.leaky_relu(self.conv1(x), 0.2)
        second = F.leaky_relu(self.conv2(torch.cat((x, first), dim=1)), 0.2)
        return x + 0.2 * self.conv3(torch.cat((x, first, second), dim=1))


def _observe(answer: Answer, x: torch.Tensor, growth: int) -> dict[str, Any]:
    block = build(answer, x.shape[1], growth)
    x.requires_grad_()  # torch refuses to change it in place
    with noted(block, nn.Conv2d) as used:
        try:
            filled(block(x))
        except RuntimeError:
            if all(seen.shape[2:] == output.shape[2:] for _, seen, output in used):
                raise
    if any(seen.shape[2:] != output.shape[2:] for _, seen, output in used):
        return {"the convolutions keep the size": False}
    if missed := strays(block, x):
        return {"the convolutions keep the size": True, "layers that torch does not find": missed}
    for place, (conv, _, _) in enumerate(used):
        # The same weights for all input channels: the order in which maps lie side by side makes no difference.
        weight = sample(conv.out_channels, 1, *conv.kernel_size, low=-0.5, high=0.5, seed=place)
        conv.weight.data = weight.repeat(1, conv.in_channels, 1, 1)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
    with noted(block, nn.Conv2d) as used:
        result = take(block(x), x)
    convs = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    learning = {id(parameter) for conv in convs for parameter in conv.parameters()}
    observed = {
        "the convolutions keep the size": True,
        "layers that torch does not find": "",
        "a normalization": any("Norm" in type(layer).__name__ for layer in block.modules()),
        "weights of its own for each step": len({conv for conv, _, _ in used}) == len(used),
        "the convolutions that are used": len(used),
        "the convolutions": len(convs),
        "what else learns": sum(id(parameter) not in learning for parameter in block.parameters()),
        "their sizes": " and ".join(sorted({"x".join(map(str, conv.kernel_size)) for conv in convs})),
        "their channels": ", ".join(f"{conv.in_channels} to {conv.out_channels}" for conv, _, _ in used),
    }
    for place, (_, seen, _) in enumerate(used, start=1):
        observed[f"what convolution {place} sees"] = seen[:, seen.mean((0, 2, 3)).argsort()]
    observed["what comes out"] = result
    observed["all weights learn"] = all(reaches(result.sum(), [conv.weight]) for conv in convs)
    return observed


Maps = Callable[..., torch.Tensor]


def _leaky(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.2)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _joined(*maps: torch.Tensor) -> torch.Tensor:
    return torch.cat(maps, dim=1)


def _bent(*maps: torch.Tensor) -> torch.Tensor:
    return _leaky(_joined(*maps))


def _sum(*maps: torch.Tensor) -> torch.Tensor:
    return sum(maps)


def _block(
    sees: tuple[tuple[int, ...], tuple[int, ...]] = ((0, 1), (0, 1, 2)),
    flat: bool = False,
    size: int = 3,
    padding: int = 1,
    join: Maps = _joined,
    acts: tuple[Maps, Maps] = (_leaky, _leaky),
    end: Maps = lambda x, third: x + 0.2 * third,
    change: Callable[[nn.Module], Any] = lambda block: None,
) -> type[nn.Module]:
    """A class of blocks in which something is different.

    `sees` are the maps that go into convolutions 2 and 3: 0 for x, 1 and 2 for what comes out of the others before.
    With `flat`, each convolution is made for as many channels as x has.
    """

    class Block(nn.Module):
        def __init__(self, features: int, growth: int) -> None:
            super().__init__()
            growth = features if flat else growth
            depth = (features, growth, growth)
            given = [features, *(features if flat else sum(depth[i] for i in maps) for maps in sees)]
            pairs = zip(given, (growth, growth, features), strict=True)
            self.convs = nn.ModuleList(nn.Conv2d(*pair, size, padding=padding) for pair in pairs)
            change(self)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = [x, acts[0](self.convs[0](x))]
            maps.append(acts[1](self.convs[1](join(*(maps[i] for i in sees[0])))))
            return end(x, self.convs[2](join(*(maps[i] for i in sees[1]))))

    return Block


def _acting(*acts: Maps) -> list[type[nn.Module]]:
    """With another activation after both convolutions, and after the second alone."""
    return [_block(acts=pair) for act in acts for pair in ((act, act), (_leaky, act))]


def _ending(*ends: Maps) -> list[type[nn.Module]]:
    return [_block(end=end) for end in ends]


class _Early(_block()):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.8 * x + super().forward(0.2 * x)


EXERCISE = Exercise(
    DenseBlock,
    level="hard",
    points=4,
    cases={"each sees all that came before, and a fifth of the third is added to x": (sample(2, 6, 7, 9, low=-1), 4)},
    observe=_observe,
    known_mistakes={
        "Convolutions are in a plain Python list (or a dict), where torch doesn't look: parameters() leaves them out, "
        "so no optimizer would train them. nn.ModuleList is a list that torch sees.": [
            in_a_list(DenseBlock),
            in_a_list(DenseBlock, registered="conv3"),
        ],
        "Layers are made in forward, so each call starts with new random weights and nothing that is learned is kept. "
        "Make them once, in __init__.": made_in_forward(DenseBlock),
        "Each convolution takes a rim off the feature maps. What keeps a 3x3 convolution from shrinking them?": (
            _block(padding=0)
        ),
        "The maps are joined along another axis than that of the channels. Which of (N, C, h, w) is it?": (
            _block(join=lambda *maps: torch.cat(maps))
        ),
        "Maps of different depth are added here. In a dense block they stay side by side (which function of torch "
        "joins tensors?), and nothing is added but, at the end, the third convolution's output to x, which has as many "
        "channels.": _block(join=_sum),
        "A convolution was made for another number of channels than it gets. How many lie side by side before the "
        "second one, and how many before the third? Count them in `features` and `growth`.": [
            _block(flat=True),
            lambda features, growth: _block()(64, 32),
        ],
        "There is a normalization in the block. ESRGAN took batch norm out of the generator: what a batch has in "
        "common shows as artifacts in a picture.": (
            _block(change=lambda block: block.add_module("norm", nn.BatchNorm2d(4)))
        ),
        "The same convolution runs twice, and shares its weights. Give each step its own.": (
            _block(((1,), (2,)), flat=True, change=lambda block: block.convs.insert(1, block.convs[0]))
        ),
        "There is a convolution in the block that it does not use.": (
            _block(change=lambda block: block.add_module("more", nn.Conv2d(6, 6, 3)))
        ),
        "Something learns besides the convolutions. The slope and the factor of this block are fixed.": (
            _block(change=lambda block: block.add_module("slope", nn.PReLU()))
        ),
        "The convolutions should be 3x3, all three of them.": [_block(size=1, padding=0), _block(size=5, padding=2)],
        "Each convolution sees what the one before it gave, and no more: that is a chain. In a dense block it also "
        "sees all that came before.": [_block(((1,), (2,))), _block(((1,), (2,)), flat=True)],
        "A convolution gets a sum. Once added, the maps cannot be told apart again; a dense block hands on all that it "
        "has seen, side by side. Which function of torch joins tensors?": _block(flat=True, join=_sum),
        "A convolution does not see all that came before it: x goes into all three, and the first's output into the "
        "second and the third.": [
            _block(((0, 1), (0, 2))),
            _block(((0, 1), (1, 2))),
            _block(((1,), (1, 2))),
            _block(((1,), (0, 1, 2))),
        ],
        "The first convolution should see x as it is.": _Early,
        "Nothing bends the signal after a convolution. What comes between two convolutions?": _acting(_same),
        "The activation is a ReLU: what is negative is lost. Which kind lets some of it through?": _acting(F.relu),
        "The activation has another slope below zero than 0.2.": _acting(
            *(nn.LeakyReLU(slope) for slope in (0.01, 0.1, 0.25, -0.2))
        ),
        "The activation is not a leaky ReLU.": _acting(F.gelu, F.silu, F.elu, torch.tanh),
        "An output is scaled on its way to the next convolution. The factor belongs to the end, once.": (
            _acting(lambda x: 0.2 * _leaky(x))
        ),
        "All that goes into a convolution is bent once more, x too. The activation belongs to the output of a "
        "convolution, before it is laid beside the others.": [
            _block(join=_bent),
            _block(join=_bent, acts=(_same, _same)),
        ],
        "The correction is added as it is. Many of these blocks follow each other: by what does ESRGAN scale it?": (
            _block(end=lambda x, third: x + third)
        ),
        "The factor 0.2 is there, but not where it belongs: what is it that should be made small, x or the "
        "correction?": _ending(
            lambda x, third: 0.2 * (x + third),
            lambda x, third: 0.2 * x + third,
            lambda x, third: 0.8 * x + 0.2 * third,
            lambda x, third: 0.2 * x + 0.8 * third,
        ),
        "The factor stands before the third convolution, where its bias escapes it. It belongs to what comes out.": (
            _block(join=lambda *maps: _joined(*maps) * (0.2 if len(maps) == 3 else 1), end=lambda x, third: x + third)
        ),
        "x is not added at the end. The block computes a correction to it.": _ending(
            lambda x, third: third,
            lambda x, third: 0.2 * third,
        ),
        "The correction is scaled by another factor than 0.2.": _ending(
            lambda x, third: x + 0.04 * third,
            lambda x, third: x + 0.1 * third,
            lambda x, third: x + 0.5 * third,
        ),
        "The correction is taken off. It should be added.": _block(end=lambda x, third: x - 0.2 * third),
        "An activation stands after the last convolution. A correction goes up and down; can this one?": _ending(
            lambda x, third: x + 0.2 * _leaky(third),
            lambda x, third: x + 0.2 * F.relu(third),
        ),
        "An activation stands after the sum, and bends x in every block.": _ending(
            lambda x, third: _leaky(x + 0.2 * third),
            lambda x, third: F.relu(x + 0.2 * third),
        ),
        "The block changes its input in place, and whoever uses that again gets something else.": (
            _block(end=lambda x, third: x.add_(0.2 * third))
        ),
        "The values are right, but some of the weights get no gradient. Is there a detach or no_grad?": _ending(
            lambda x, third: x + 0.2 * third.detach(),
        ),
    },
    also_accepted=[
        _block(
            join=lambda *maps: torch.cat(maps[::-1], dim=1),
            acts=(nn.LeakyReLU(0.2, inplace=True), nn.LeakyReLU(0.2, inplace=True)),
            change=lambda block: [conv.register_parameter("bias", None) for conv in block.convs],
        )
    ],
    fallback_messages={
        "the convolutions that are used": "The block should use three convolutions (nn.Conv2d), but uses {given}.",
        "their sizes": "The convolutions should be 3x3, all three of them, but are {given}.",
        "their channels": "From convolution to convolution the channels go {given}. Count what lies side by side "
        "before each of the three, and what each should add.",
        "what convolution 2 sees": "Convolution 2 has the right number of channels, but should see x and the activated "
        "output of the first.",
        "what convolution 3 sees": "Convolution 3 has the right number of channels, but should see x and the activated "
        "outputs of both convolutions before it.",
        "what comes out": "What comes out is not x + 0.2 * third.",
    },
    reveal=False,
    hints=(
        "Each convolution sees the input and all outputs before it, side by side, so it has more channels to look at "
        "than the one before.",
        "torch.cat joins maps along an axis; the channels are axis 1. Count how many channels lie side by side before "
        "each convolution. The skip and its factor come once, at the end.",
    ),
)
