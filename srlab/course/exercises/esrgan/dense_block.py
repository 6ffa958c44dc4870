"""Lab 04: a dense block."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import models
from srlab.course.difference import take
from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward
from srlab.course.exercises.networks import build, noted, reaches, strays


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees x and all outputs before it (Wang et al. 2018, figure 4).

    It is `srlab.models.ResidualDenseBlock`, with the same names of its layers.

    Parameters
    ----------
    features
        Number of input and output channels.
    growth
        Number of channels that each convolution except the last adds.
    residual_scale
        Factor on the output of the last convolution, before the skip is added.
    """

    def __init__(self, features: int, growth: int, residual_scale: float = 0.2) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2)), dim=1)
        return x + self.residual_scale * self.conv5(seen)


def _observe(answer: Answer, x: torch.Tensor, growth: int, *residual_scale: float) -> dict[str, Any]:
    block = build(answer, x.shape[1], growth, *residual_scale)
    x.requires_grad_()  # so that PyTorch raises if an answer changes it in place
    with noted(block, nn.Conv2d) as used:
        try:
            filled(block(x))
        except RuntimeError:
            if all(seen.shape[2:] == output.shape[2:] for _, seen, output in used):
                raise
    if any(seen.shape[2:] != output.shape[2:] for _, seen, output in used):
        return {"convolutions that keep the size": False}
    if missed := strays(block, x):
        return {"convolutions that keep the size": True, "layers that PyTorch doesn't find": missed}
    for place, (conv, _, _) in enumerate(used):
        # Use the same weights for all input channels, so that the order of joined maps makes no difference.
        weight = sample(conv.out_channels, 1, *conv.kernel_size, low=-0.5, high=0.5, seed=place)
        conv.weight.data = weight.repeat(1, conv.in_channels, 1, 1)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
    with noted(block, nn.Conv2d) as used:
        result = take(block(x), x)
    convs = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    learning = {id(parameter) for conv in convs for parameter in conv.parameters()}
    observed = {
        "convolutions that keep the size": True,
        "layers that PyTorch doesn't find": "",
        "no normalization": any("Norm" in type(layer).__name__ for layer in block.modules()),
        "separate weights for each convolution": len({conv for conv, _, _ in used}) == len(used),
        "the number of convolutions used": len(used),
        "the number of convolutions": len(convs),
        "the number of other learned parameters": sum(
            id(parameter) not in learning for parameter in block.parameters()
        ),
        "the kernel sizes": " and ".join(sorted({"x".join(map(str, conv.kernel_size)) for conv in convs})),
        "the channels": ", ".join(f"{conv.in_channels} to {conv.out_channels}" for conv, _, _ in used),
    }
    for place, (_, seen, _) in enumerate(used, start=1):
        observed[f"the input of convolution {place}"] = seen[:, seen.mean((0, 2, 3)).argsort()]
    observed["the output"] = result
    observed["the order of the joined maps"] = used[-1][1]
    observed["the names of the weights"] = ", ".join(sorted(block.state_dict()))
    observed["all weights get a gradient"] = all(reaches(result.sum(), [conv.weight]) for conv in convs)
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


CHAIN = ((1,), (2,), (3,), (4,))
DENSE = ((0, 1), (0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3, 4))


def _block(
    sees: tuple[tuple[int, ...], ...] = DENSE,
    flat: bool = False,
    size: int = 3,
    padding: int = 1,
    join: Maps = _joined,
    acts: tuple[Maps, ...] = (_leaky,) * 4,
    end: Callable[..., torch.Tensor] = lambda x, last, factor: x + factor * last,
    change: Callable[[nn.Module], Any] = lambda block: None,
    name: str = "conv{}",
) -> type[nn.Module]:
    """Return a block class in which something is different.

    `sees` lists the maps that go into each convolution after the first: 0 for x, 1 to 4 for the outputs of earlier
    convolutions. With `flat`, each convolution is built for as many channels as x has.
    """

    class Block(nn.Module):
        def __init__(self, features: int, growth: int, residual_scale: float = 0.2) -> None:
            super().__init__()
            self.factor = residual_scale
            growth = features if flat else growth
            depth = (features, *(growth for _ in sees))
            given = [features, *(features if flat else sum(depth[i] for i in maps) for maps in sees)]
            for place, pair in enumerate(zip(given, (*depth[1:], features), strict=True), start=1):
                self.add_module(name.format(place), nn.Conv2d(*pair, size, padding=padding))
            change(self)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps, seen = [x], x
            for place, (act, of) in enumerate(zip(acts, sees, strict=False), start=1):
                maps.append(act(self.get_submodule(name.format(place))(seen)))
                seen = join(*(maps[i] for i in of))
            return end(x, self.get_submodule(name.format(len(sees) + 1))(seen), self.factor)

    return Block


def _acting(*acts: Maps) -> list[type[nn.Module]]:
    """Return blocks with a different activation after all convolutions, and after the fourth one only."""
    return [_block(acts=four) for act in acts for four in ((act,) * 4, (_leaky,) * 3 + (act,))]


def _ending(*ends: Callable[..., torch.Tensor]) -> list[type[nn.Module]]:
    return [_block(end=end) for end in ends]


def _shared(block: nn.Module) -> None:
    block.conv3 = block.conv2


class _WithoutScale(DenseBlock):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__(features, growth)


class _Early(_block()):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.8 * x + super().forward(0.2 * x)


EXERCISE = Exercise(
    DenseBlock,
    level="hard",
    points=5,
    cases={
        "each convolution sees everything before it, and 0.2 times the fifth is added to x": (
            sample(2, 6, 7, 9, low=-1),
            4,
        ),
        "a different residual_scale": (sample(2, 6, 7, 9, low=-1, seed=1), 4, 0.5),
    },
    observe=_observe,
    known_mistakes={
        "You keep convolutions in a plain Python list (or a dict), where PyTorch doesn't look: parameters() misses "
        "them, so no optimizer would train them. Assign each of them to an attribute of self.": [
            in_a_list(DenseBlock),
            in_a_list(DenseBlock, registered="conv3"),
        ],
        "You create layers in forward, so each call starts with new random weights and loses what was learned. Create "
        "them once, in __init__.": made_in_forward(DenseBlock),
        "Each convolution makes the feature maps smaller at their edges. What keeps the size in a 3x3 convolution?": (
            _block(padding=0)
        ),
        "You join the maps along the wrong axis. Which of (N, C, h, w) should it be?": (
            _block(join=lambda *maps: torch.cat(maps))
        ),
        "You add maps with different numbers of channels. In a dense block they stay side by side. Which PyTorch "
        "function joins tensors? Add only at the end: the fifth convolution's output to x, which has as many "
        "channels.": _block(join=_sum),
        "A convolution is built for a different number of channels than it gets. How many are side by side before the "
        "second one, and before each of the others? Count them in `features` and `growth`.": [
            _block(flat=True),
            lambda features, growth, *_: _block()(64, 32),
        ],
        "Your block contains a normalization. ESRGAN removed batch norm from the generator: what a batch has in common "
        "shows up as artifacts in an image.": (
            _block(change=lambda block: block.add_module("norm", nn.BatchNorm2d(4)))
        ),
        "The same convolution runs twice, so its weights are shared. Use a separate one for each step.": (
            _block(CHAIN, flat=True, change=_shared)
        ),
        "Your block contains a convolution that it doesn't use.": (
            _block(change=lambda block: block.add_module("more", nn.Conv2d(6, 6, 3)))
        ),
        "Something besides the convolutions learns. The slope and the factor of this block are fixed.": (
            _block(change=lambda block: block.add_module("slope", nn.PReLU()))
        ),
        "All five convolutions should be 3x3.": [_block(size=1, padding=0), _block(size=5, padding=2)],
        "Each of your convolutions sees only the output of the one before it: that is a chain. In a dense block it "
        "also sees everything before that.": [_block(CHAIN), _block(CHAIN, flat=True)],
        "A convolution gets a sum. Once added, the maps can't be separated again. A dense block passes on everything "
        "that it has seen, side by side. Which PyTorch function joins tensors?": _block(flat=True, join=_sum),
        "A convolution doesn't see everything before it: x and the output of each convolution go into all later "
        "ones.": [
            _block(((0, 1), (0, 2), (0, 3), (0, 4))),
            _block(((0, 1), (1, 2), (2, 3), (3, 4))),
            _block(((0, 1), (1, 2), (1, 2, 3), (1, 2, 3, 4))),
            _block(((1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))),
            _block((*DENSE[:3], (1, 2, 3, 4))),
        ],
        "The first convolution should see x unchanged.": _Early,
        "There is no nonlinearity after a convolution. What comes between two convolutions?": _acting(_same),
        "Your activation is a ReLU, which drops negative values. Which kind lets part of them through?": _acting(
            F.relu
        ),
        "The slope of your activation below zero is not 0.2.": _acting(
            *(nn.LeakyReLU(slope) for slope in (0.01, 0.1, 0.25, -0.2))
        ),
        "Your activation is not a leaky ReLU.": _acting(F.gelu, F.silu, F.elu, torch.tanh),
        "You scale an output on its way to the next convolution. The factor comes at the end, once.": (
            _acting(lambda x: 0.2 * _leaky(x))
        ),
        "Everything that goes into a convolution passes through an activation again, even x. Apply the activation to "
        "the output of a convolution, before you join it to the others.": [
            _block(join=_bent),
            _block(join=_bent, acts=(_same,) * 4),
        ],
        "You add the correction unscaled. Many of these blocks follow each other. Where does residual_scale go?": (
            _block(end=lambda x, last, factor: x + last)
        ),
        "The factor is there, but in the wrong place. Which one should be small, x or the correction?": _ending(
            lambda x, last, factor: factor * (x + last),
            lambda x, last, factor: factor * x + last,
            lambda x, last, factor: (1 - factor) * x + factor * last,
            lambda x, last, factor: factor * x + (1 - factor) * last,
        ),
        "Your factor comes before the fifth convolution, so it misses the bias. Apply it to the output.": (
            _block(
                join=lambda *maps: _joined(*maps) * (0.2 if len(maps) == 5 else 1),
                end=lambda x, last, factor: x + last,
            )
        ),
        "You don't add x at the end. The block computes a correction to it.": _ending(
            lambda x, last, factor: last,
            lambda x, last, factor: factor * last,
        ),
        "You scale the correction by a factor other than residual_scale.": _ending(
            lambda x, last, factor: x + factor**2 * last,
            lambda x, last, factor: x + 0.1 * last,
            lambda x, last, factor: x + 0.5 * last,
        ),
        "Your factor is always 0.2. Where can __init__ keep residual_scale for forward?": _ending(
            lambda x, last, factor: x + 0.2 * last
        ),
        "__init__ needs a third argument, residual_scale, with the default 0.2.": _WithoutScale,
        "You subtract the correction. It should be added.": _block(end=lambda x, last, factor: x - factor * last),
        "You apply an activation after the last convolution. A correction goes up and down. Can this one?": _ending(
            lambda x, last, factor: x + factor * _leaky(last),
            lambda x, last, factor: x + factor * F.relu(last),
        ),
        "You apply an activation after the sum, so it distorts x in every block.": _ending(
            lambda x, last, factor: _leaky(x + factor * last),
            lambda x, last, factor: F.relu(x + factor * last),
        ),
        "Your block changes its input in place, so any code that uses the input again gets something else.": (
            _block(end=lambda x, last, factor: x.add_(factor * last))
        ),
        "You join the maps in another order than the network whose weights you load. They expect x first, and then "
        "the outputs in the order in which they are computed.": _block(join=lambda *maps: torch.cat(maps[::-1], 1)),
        "The weights that you load are called conv1.weight, conv1.bias and so on up to conv5. Yours have other names, "
        "so load_state_dict would reject them.": [_block(name="layer{}"), _block(name="conv_{}")],
        "The convolutions of the weights that you load have a bias. Yours don't.": _block(
            change=lambda block: [conv.register_parameter("bias", None) for conv in block.children()]
        ),
        "The values are correct, but some of the weights get no gradient. Is there a detach or no_grad?": _ending(
            lambda x, last, factor: x + factor * last.detach(),
        ),
    },
    also_accepted=[
        _block(acts=(nn.LeakyReLU(0.2, inplace=True),) * 4),
        lambda features, growth, residual_scale=0.2: models.ResidualDenseBlock(features, growth, 3, residual_scale),
    ],
    fallback_messages={
        "the number of convolutions used": "The block should use five convolutions (nn.Conv2d), but uses {given}.",
        "the kernel sizes": "All five convolutions should be 3x3, but they are {given}.",
        "the channels": "The channels of your convolutions are {given}. Count what is side by side before each of the "
        "five, and how many channels each should add.",
        **{
            f"the input of convolution {place}": f"Convolution {place} has the right number of channels, but it should "
            "see x and the activated outputs of all convolutions before it."
            for place in range(2, 6)
        },
        "the output": "The output is not x + residual_scale * fifth.",
        "the order of the joined maps": "The maps are joined in another order than x, first, second, third, fourth.",
        "the names of the weights": "The weights should be called conv1.weight, conv1.bias and so on up to conv5, but "
        "they are {given}.",
    },
    reveal=False,
    hints=(
        "Each convolution sees the input and all outputs before it, side by side, so it gets more channels than the "
        "one before.",
        "torch.cat joins maps along an axis; the channels are axis 1. Count the channels side by side before each "
        "convolution. The skip and its factor come once, at the end.",
    ),
)
