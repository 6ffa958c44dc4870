"""Lab 04: the residual-in-residual dense block."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import models
from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward
from srlab.course.exercises.esrgan.dense_block import DenseBlock
from srlab.course.exercises.networks import build, calls, reaches, set_weights, strays


class RRDB(nn.Module):
    """Three dense blocks in a row, with a second skip around all of them (Wang et al. 2018, figure 4).

    Parameters
    ----------
    features, growth
        Sizes of each dense block.
    residual_scale
        Factor inside the blocks, and on the output of the three blocks before the skip is added.
    """

    def __init__(self, features: int, growth: int, residual_scale: float = 0.2) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.rdb1 = DenseBlock(features, growth, residual_scale)
        self.rdb2 = DenseBlock(features, growth, residual_scale)
        self.rdb3 = DenseBlock(features, growth, residual_scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + self.residual_scale * self.rdb3(self.rdb2(self.rdb1(x)))


def _observe(answer: Answer, x: torch.Tensor, growth: int, *residual_scale: float) -> dict[str, Any]:
    block = build(answer, x.shape[1], growth, *residual_scale)
    x.requires_grad_()  # so that PyTorch raises if an answer changes it in place
    shape = str(tuple(filled(block(x)).shape))
    made = [call for call in calls(block, x) if call.kind == "conv2d"]
    own = [id(call.weights[0]) for call in made]
    missed = strays(block, x)
    set_weights(block, x)
    result = block(x)
    used = {id(weights) for call in made for weights in call.weights}
    return {
        "the output shape": shape,
        "where the weights are stored": missed,
        "the number of convolutions": len(made),
        "separate weights for each convolution": len(own) == len(set(own)),
        "the number of unused weights": sum(id(parameter) not in used for parameter in block.parameters()),
        "the output": result,
        "the names of the weights": ", ".join(sorted({name.partition(".conv")[0] for name in block.state_dict()})),
        "all weights get a gradient": reaches(result.sum(), [made[0].weights[0]]),
    }


def _rrdb(
    forward: Answer | None = None, count: int = 3, shared: bool = False, inner: float | None = None, name: str = "rdb{}"
) -> Answer:
    """Return a class in which something is different; `forward` maps blocks, x and the factor to the result.

    `inner` is the factor inside the blocks, where it is not residual_scale.
    """

    class Block(nn.Module):
        def __init__(self, features: int, growth: int, residual_scale: float = 0.2) -> None:
            super().__init__()
            self.factor, self.names = residual_scale, [name.format(place) for place in range(1, count + 1)]
            block = None
            for own in self.names:
                if block is None or not shared:
                    block = DenseBlock(features, growth, residual_scale if inner is None else inner)
                self.add_module(own, block)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (forward or _right)([self.get_submodule(own) for own in self.names], x, self.factor)

    return Block


def _chain(blocks: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    for block in blocks:
        x = block(x)
    return x


def _right(blocks: Sequence[nn.Module], x: torch.Tensor, factor: float) -> torch.Tensor:
    return x + factor * _chain(blocks, x)


def _skip_around_each(blocks: Sequence[nn.Module], x: torch.Tensor, factor: float) -> torch.Tensor:
    for block in blocks:
        x = x + factor * block(x)
    return x


class _WithoutScale(RRDB):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__(features, growth)


EXERCISE = Exercise(
    RRDB,
    level="easy",
    points=2,
    cases={
        "three dense blocks in a row, and x + 0.2 times their output": (sample(2, 6, 5, 7, low=-1), 4),
        "a different residual_scale": (sample(2, 6, 5, 7, low=-1, seed=1), 4, 0.5),
    },
    observe=_observe,
    known_mistakes={
        "You keep the blocks in a plain Python list, where PyTorch doesn't look: parameters() misses them, so no "
        "optimizer would train them. Assign each of them to an attribute of self.": in_a_list(RRDB),
        "You create the blocks in forward, so each call starts with new random weights. Create them once, in "
        "__init__.": (made_in_forward(RRDB)),
        "One block runs three times, so its weights are shared. Create three.": _rrdb(shared=True),
        "You need three dense blocks, one after the other.": [_rrdb(count=count) for count in (1, 2, 4, 5)],
        "You create blocks that nothing uses. The second takes the output of the first, and the third takes the output "
        "of the second.": _rrdb(lambda blocks, x, factor: x + factor * blocks[0](x)),
        "All three blocks see x. They should follow each other: the second takes the output of the first.": [
            _rrdb(lambda blocks, x, factor: x + factor * sum(block(x) for block in blocks)),
            _rrdb(lambda blocks, x, factor: x + factor * sum(block(x) for block in blocks) / 3),
        ],
        "Your blocks follow each other, but the second skip is missing. It leads from x to the end.": [
            _rrdb(lambda blocks, x, factor: _chain(blocks, x)),
            _rrdb(lambda blocks, x, factor: factor * _chain(blocks, x)),
        ],
        "You added a skip around each block. Each block already has one inside. The second skip goes around all "
        "three.": (_rrdb(_skip_around_each)),
        "You added the output of the three blocks unscaled. Where does residual_scale go?": _rrdb(
            lambda blocks, x, factor: x + _chain(blocks, x)
        ),
        "residual_scale multiplies the wrong term. Which one should be small, x or the output of the blocks?": [
            _rrdb(lambda blocks, x, factor: factor * x + _chain(blocks, x)),
            _rrdb(lambda blocks, x, factor: factor * (x + _chain(blocks, x))),
            _rrdb(lambda blocks, x, factor: factor * x + (1 - factor) * _chain(blocks, x)),
        ],
        "You added only the change that the blocks make. ESRGAN adds the whole output of the third block, scaled.": [
            _rrdb(lambda blocks, x, factor: x + factor * (_chain(blocks, x) - x)),
            _rrdb(lambda blocks, x, factor: (1 - factor) * x + factor * _chain(blocks, x)),
        ],
        "You scaled twice. Each block already scales inside. How often should the outer skip scale?": (
            _rrdb(lambda blocks, x, factor: x + factor**2 * _chain(blocks, x))
        ),
        "Your outer factor is always 0.2. Where can __init__ keep residual_scale for forward?": (
            _rrdb(lambda blocks, x, factor: x + 0.2 * _chain(blocks, x))
        ),
        "Your blocks don't get residual_scale: inside them the factor stays 0.2. How does __init__ pass it on?": (
            _rrdb(inner=0.2)
        ),
        "residual_scale appears nowhere: the factor is 0.2 inside and outside. Keep it for forward, and pass it to the "
        "blocks.": _rrdb(lambda blocks, x, factor: x + 0.2 * _chain(blocks, x), inner=0.2),
        "__init__ needs a third argument, residual_scale, with the default 0.2.": _WithoutScale,
        "You apply an activation after the sum, so it distorts x in every block.": [
            _rrdb(lambda blocks, x, factor: F.leaky_relu(_right(blocks, x, factor), 0.2)),
            _rrdb(lambda blocks, x, factor: F.relu(_right(blocks, x, factor))),
        ],
        "You subtract the output of the blocks. It should be added.": _rrdb(
            lambda blocks, x, factor: x - factor * _chain(blocks, x)
        ),
        "Your block changes its input in place, so any code that uses the input again gets something else.": (
            _rrdb(lambda blocks, x, factor: x.add_(factor * _chain(blocks, x)))
        ),
        "The weights that you load call the dense blocks rdb1, rdb2 and rdb3. Yours have other names, so "
        "load_state_dict would reject them.": [_rrdb(name="block{}"), _rrdb(name="dense{}")],
        "The values are correct, but the weights get no gradient. Is there a detach or no_grad?": _rrdb(
            lambda blocks, x, factor: x + factor * _chain(blocks, x).detach()
        ),
    },
    also_accepted=[
        _rrdb(),
        _rrdb(lambda blocks, x, factor: torch.add(x, _chain(blocks, x), alpha=factor)),
        lambda features, growth, residual_scale=0.2: models.RRDB(features, growth, residual_scale=residual_scale),
    ],
    fallback_messages={
        "the number of convolutions": "Three dense blocks of five convolutions each make 15, but here {given} run.",
        "the names of the weights": "The dense blocks should be called rdb1, rdb2 and rdb3, but the weights are "
        "called {given}.",
        "the output": "The output is not x + residual_scale * third, where third is the output of the third block.",
    },
    reveal=False,
    hints=(
        "Create three blocks in __init__, and store residual_scale. In forward, pass x through them one after the "
        "other.",
        "The names rdb1, rdb2 and rdb3 are those of the published weights. Then add residual_scale times the output of "
        "the third block to x.",
    ),
)
