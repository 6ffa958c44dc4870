"""The exercise of lab 04 about the dense block: what goes into each convolution, and what comes out at the end."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor

FEATURES, GROWTH = 6, 4
_SHAPE = (2, FEATURES, 7, 9)


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


class _Watched:
    """A block with known weights, and what goes into its convolutions and comes out of them, in order of use."""

    def __init__(self, answer: Answer) -> None:
        if isinstance(answer, nn.Module):
            raise Wrong("check needs the class itself, not a block made from it. Give the name without brackets.")
        self.block, self.x = filled(answer(FEATURES, GROWTH)), sample(*_SHAPE, low=-1)
        if not isinstance(self.block, nn.Module):
            raise Wrong("The block should be a torch.nn.Module.")
        self.layers: list[nn.Module] = []
        self.inputs: list[torch.Tensor] = []
        self.outputs: list[torch.Tensor] = []
        self.convs = [layer for layer in self.block.modules() if isinstance(layer, nn.Conv2d)]
        for seed, parameter in enumerate(self.block.parameters()):
            # Whatever the block starts with: zeros, say, would hide what the layers do.
            parameter.data = sample(*parameter.shape, low=-0.5, high=0.5, seed=seed).to(parameter)
        for layer in self.convs:
            layer.register_forward_hook(self._note)

    def run(self) -> torch.Tensor:
        """The block's result, with its graph."""
        self.layers, self.inputs, self.outputs = [], [], []
        return filled(self.block(self.x.clone()))

    @property
    def channels(self) -> list[tuple[int, int]]:
        """Of each convolution that was used."""
        return [(layer.in_channels, layer.out_channels) for layer in self.layers]

    def _note(self, layer: nn.Module, given: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        self.layers.append(layer)
        self.inputs.append(given[0].detach().clone())
        self.outputs.append(output.detach().clone())  # an activation in place would write over it


# --- It runs ----------------------------------------------------------------------------------------------------


def _dense_shape(answer: Answer) -> None:
    watched = _Watched(answer)
    shrinks = any(layer.kernel_size != (1, 1) and layer.padding in (0, (0, 0), "valid") for layer in watched.convs)
    padding = "Each convolution takes a rim off the feature maps. What keeps a 3x3 convolution from shrinking them?"
    given = watched.x.clone()
    try:
        result = watched.block(given)
    except RuntimeError as error:
        if hint := padding if shrinks else _explain(watched, str(error)):
            raise Wrong(f"{hint} (torch says: {str(error).splitlines()[0]})") from error
        raise
    tensor(result, _SHAPE, padding if shrinks else "The block keeps the shape.")
    if not torch.equal(given, watched.x):
        raise Wrong("The block changes its input in place, and whoever uses that again gets something else.")


def _explain(watched: _Watched, said: str) -> str:
    """What is behind an error of torch, by how far the block came; nothing for errors that do not tell."""
    if "except in dimension" in said:
        return "The maps are joined along another axis than that of the channels. Which of (N, C, h, w) is it?"
    if "must match the size" in said:
        if len(watched.outputs) < 3:
            return (
                "Maps of different depth are added here, before the last convolution. In a dense block they stay side "
                "by side, and nothing is added to anything. Which function of torch joins tensors?"
            )
        return "The last convolution gives another number of channels than x has, so the two cannot be added."
    if "channels" in said:
        return (
            f"A convolution was made for another number of channels than it gets. With {FEATURES} features and a "
            f"growth of {GROWTH}: how many lie side by side before the second one, and how many before the third?"
        )
    return ""


# --- The convolutions -------------------------------------------------------------------------------------------


def _dense_layers(answer: Answer) -> None:
    watched = _Watched(answer)
    watched.run()
    kinds = [type(layer) for layer in watched.block.modules()]
    if any("Norm" in kind.__name__ and kind.__module__.startswith("torch.") for kind in kinds):
        raise Wrong(
            "There is a normalisation in the block. ESRGAN took batch norm out of the generator: what a batch has in "
            "common shows as artefacts in a picture."
        )
    if len(set(watched.layers)) < len(watched.layers):
        raise Wrong("The same convolution runs twice, and shares its weights. Give each step its own.")
    if len(watched.layers) != 3:
        raise Wrong(f"The block should use three convolutions (nn.Conv2d), but uses {len(watched.layers)}.")
    if len(watched.convs) != 3:
        raise Wrong(f"The block has {len(watched.convs)} convolutions, but only three of them are used.")
    own = {id(parameter) for layer in watched.convs for parameter in layer.parameters()}
    if any(id(parameter) not in own for parameter in watched.block.parameters()):
        raise Wrong("Something learns besides the convolutions. The slope and the factor of this block are fixed.")
    if any(layer.kernel_size != (3, 3) for layer in watched.convs):
        raise Wrong("The convolutions should be 3x3, all three of them.")
    _check_channels(watched)


def _check_channels(watched: _Watched) -> None:
    features, growth, two = FEATURES, GROWTH, FEATURES + GROWTH
    wanted = [(features, growth), (two, growth), (two + growth, features)]
    if watched.channels == wanted:
        return
    (_, first), (into2, second), (into3, _) = watched.channels
    for number, given in enumerate(watched.inputs[1:], start=2):
        for act in (lambda x: F.leaky_relu(x, 0.2), F.relu, lambda x: x):
            seen = [watched.x, *(act(output) for output in watched.outputs[: number - 1])]
            pairs = [(a, b) for a, b in combinations(seen, 2) if a.shape == b.shape]
            if any(near(given, a + b) for a, b in pairs) or (len(pairs) == 3 and near(given, sum(seen))):
                raise Wrong(
                    f"Convolution {number} gets a sum. Once added, the maps cannot be told apart again; a dense block "
                    "hands on all that it has seen, side by side. Which function of torch joins tensors?"
                )
    if (into2, into3) == (first, second):
        raise Wrong(
            "Each convolution sees what the one before it gave, and no more: that is a chain. In a dense block it "
            "also sees all that came before."
        )
    what = {
        (two, two): "The third convolution does not see all: x, the first's and the second's.",
        (two, 2 * growth): "The third convolution does not see x. Everything before is handed on to it.",
        (growth, 2 * growth): "x is only seen by the first convolution. It is handed on to all of them.",
        (growth, two + growth): "The second convolution does not see x, but the first's output alone.",
    }
    hint = what.get((into2, into3), "")
    said = ", ".join(f"{a} to {b}" for a, b in watched.channels)
    raise Wrong(
        f"{hint} With {features} features and a growth of {growth} the channels go {said}. Count what lies side by "
        "side before each of the three, and what each should add.".strip()
    )


# --- What they see ----------------------------------------------------------------------------------------------

_Act = Callable[[torch.Tensor], torch.Tensor]
_SLOPE = "The activation after convolution {} has another slope below zero than 0.2."
_ACTS: tuple[tuple[str, _Act], ...] = (
    ("Nothing bends the signal after convolution {}. What comes between two convolutions?", lambda x: x),
    (
        "The activation after convolution {} is a ReLU: what is negative is lost. Which kind lets some of it through?",
        F.relu,
    ),
    *((_SLOPE, lambda x, slope=slope: F.leaky_relu(x, slope)) for slope in (0.01, 0.02, 0.1, 0.25, 0.3, 0.5)),
    ("The activation after convolution {} is a leaky ReLU with a minus in its slope.", lambda x: F.leaky_relu(x, -0.2)),
    *(("The activation after convolution {} is not a leaky ReLU.", act) for act in (F.gelu, F.silu, F.elu, torch.tanh)),
    (
        "The output of convolution {} is scaled on its way to the next. The factor belongs to the end, once.",
        lambda x: 0.2 * F.leaky_relu(x, 0.2),
    ),
)


def _joined(given: torch.Tensor, parts: Sequence[torch.Tensor]) -> bool:
    """Whether these maps lie side by side, in any order: a convolution has weights of its own for each of them."""
    return any(near(given, torch.cat(order, dim=1)) for order in permutations(parts))


def _dense_inputs(answer: Answer) -> None:
    watched = _Watched(answer)
    watched.run()
    if not near(watched.inputs[0], watched.x):
        raise Wrong("The first convolution should see x as it is.")
    parts = [watched.x]
    for number, (given, output) in enumerate(zip(watched.inputs[1:], watched.outputs, strict=False), start=1):
        right = F.leaky_relu(output, 0.2)
        if _joined(given, [*parts, right]):
            parts.append(right)
            continue
        for hint, act in _ACTS:
            if _joined(given, [*parts, act(output)]):
                raise Wrong(hint.format(number))
        if _joined(given, [F.leaky_relu(part, 0.2) for part in (*parts, output)]):
            raise Wrong(
                f"All that goes into convolution {number + 1} is bent once more, x too. The activation belongs to the "
                "output of a convolution, before it is laid beside the others."
            )
        raise Wrong(
            f"Convolution {number + 1} has the right number of channels, but should see x and the activated outputs of "
            "all convolutions before it, each of them once."
        )


# --- What comes out ---------------------------------------------------------------------------------------------


def _sum_mistakes(x: torch.Tensor, third: torch.Tensor) -> Iterable[tuple[str, torch.Tensor]]:
    place = (
        "The factor 0.2 is there, but not where it belongs: what is it that should be made small, x or the correction?"
    )
    skip = "x is not added at the end. The block computes a correction to it."
    bent = "An activation stands after the last convolution. A correction goes up and down; can this one?"
    yield (
        "The correction is added as it is. Many of these blocks follow each other: by what does ESRGAN scale it?",
        x + third,
    )
    yield place, 0.2 * (x + third)
    yield place, 0.2 * x + third
    yield place, 0.8 * x + 0.2 * third
    yield place, 0.2 * x + 0.8 * third
    yield skip, third
    yield skip, 0.2 * third
    yield "x is added twice.", x + 0.2 * (x + third)
    yield "The correction is taken off. It should be added.", x - 0.2 * third
    yield "The correction is scaled twice.", x + 0.04 * third
    yield "The correction is scaled by another factor than 0.2.", x + 0.1 * third
    yield "The correction is scaled by another factor than 0.2.", x + 0.5 * third
    for act in (lambda t: F.leaky_relu(t, 0.2), F.relu):
        yield bent, x + 0.2 * act(third)
        yield bent, x + act(third)
        yield "An activation stands after the sum, and bends x in every block.", act(x + 0.2 * third)
        yield "An activation stands after the sum, and bends x in every block.", act(x + third)


def _dense_sum(answer: Answer) -> None:
    watched = _Watched(answer)
    result, x = watched.run(), watched.x
    third = watched.outputs[-1]
    compare(result, x + 0.2 * third, _sum_mistakes(x, third), "What comes out is not x + 0.2 * third.", reveal=False)
    parameters = list(watched.block.parameters())
    found = [None] * len(parameters)
    if result.requires_grad:
        found = torch.autograd.grad(result.sum(), parameters, allow_unused=True)
    if any(gradient is None for gradient in found):
        raise Wrong("The values are right, but some of the weights get no gradient. Is there a detach or no_grad?")


EXERCISES = {
    "esrgan.DenseBlock": Exercise(
        DenseBlock,
        (
            ("the shape stays", _dense_shape),
            ("three convolutions for the right numbers of channels", _dense_layers),
            ("each sees all that came before", _dense_inputs),
            ("a fifth of the third is added to x", _dense_sum),
        ),
        "hard",
        (
            "Each convolution sees the input and all outputs before it, side by side, so it has more channels to look "
            "at than the one before.",
            "torch.cat joins maps along an axis; the channels are axis 1. Count how many channels lie side by side "
            "before each convolution. The skip and its factor come once, at the end.",
        ),
    ),
}
