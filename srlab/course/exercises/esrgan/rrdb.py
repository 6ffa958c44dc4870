"""Lab 04: the residual-in-residual dense block."""

from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward, variant
from srlab.course.exercises.esrgan.dense_block import DenseBlock
from srlab.course.exercises.networks import build, calls, reaches, set_weights, strays


class RRDB(nn.Module):
    """Three dense blocks in a row, with a second skip around all of them (Wang et al. 2018, figure 4).

    The blocks are those of the previous exercise; `srlab.models.RRDB` has the paper's.

    Parameters
    ----------
    features, growth
        Sizes of each dense block.
    residual_scale
        Factor on the output of the three blocks, before the skip is added.
    """

    def __init__(self, features: int, growth: int, residual_scale: float = 0.2) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.blocks = nn.Sequential(*[DenseBlock(features, growth) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` to the same shape."""
        return x + self.residual_scale * self.blocks(x)


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
        "all weights get a gradient": reaches(result.sum(), [made[0].weights[0]]),
    }


_rrdb = partial(variant, RRDB)


def _chain(rrdb: Any, x: torch.Tensor) -> torch.Tensor:
    for block in rrdb.blocks:
        x = block(x)
    return x


def _right(rrdb: Any, x: torch.Tensor) -> torch.Tensor:
    return x + rrdb.residual_scale * _chain(rrdb, x)


def _apart(rrdb: Any, x: torch.Tensor) -> torch.Tensor:
    """Apply all three blocks to x."""
    return x + rrdb.residual_scale * sum(block(x) for block in rrdb.blocks)


def _skip_around_each(rrdb: Any, x: torch.Tensor) -> torch.Tensor:
    for block in rrdb.blocks:
        x = x + rrdb.residual_scale * block(x)
    return x


def _shared(features: int, growth: int, *_: float) -> nn.Module:
    return nn.ModuleList([DenseBlock(features, growth)] * 3)


def _many(count: int) -> Answer:
    return lambda features, growth, *_: nn.ModuleList(DenseBlock(features, growth) for _ in range(count))


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
        "optimizer would train them. Use nn.ModuleList or nn.Sequential, which PyTorch sees.": in_a_list(RRDB),
        "You create the blocks in forward, so each call starts with new random weights. Create them once, in "
        "__init__.": (made_in_forward(RRDB)),
        "One block runs three times, so its weights are shared. [block] * 3 is the same block three times. Create "
        "three.": (_rrdb(_right, blocks=_shared)),
        "You need three dense blocks, one after the other.": [
            *(_rrdb(_right, blocks=_many(count)) for count in (1, 2, 4, 5)),
        ],
        "You create blocks that nothing uses. The second takes the output of the first, and the third takes the output "
        "of the second.": _rrdb(lambda rrdb, x: x + rrdb.residual_scale * rrdb.blocks[0](x)),
        "All three blocks see x. They should follow each other: the second takes the output of the first.": [
            _rrdb(_apart),
            _rrdb(lambda rrdb, x: x + rrdb.residual_scale * sum(block(x) for block in rrdb.blocks) / 3),
        ],
        "Your blocks follow each other, but the second skip is missing. It leads from x to the end.": [
            _rrdb(_chain),
            _rrdb(lambda rrdb, x: rrdb.residual_scale * _chain(rrdb, x)),
        ],
        "You added a skip around each block. Each block already has one inside. The second skip goes around all "
        "three.": (_rrdb(_skip_around_each)),
        "You added the output of the three blocks unscaled. Where does residual_scale go?": _rrdb(
            lambda rrdb, x: x + _chain(rrdb, x)
        ),
        "residual_scale multiplies the wrong term. Which one should be small, x or the output of the blocks?": [
            _rrdb(lambda rrdb, x: rrdb.residual_scale * x + _chain(rrdb, x)),
            _rrdb(lambda rrdb, x: rrdb.residual_scale * (x + _chain(rrdb, x))),
            _rrdb(lambda rrdb, x: rrdb.residual_scale * x + (1 - rrdb.residual_scale) * _chain(rrdb, x)),
        ],
        "You added only the change that the blocks make. ESRGAN adds the whole output of the third block, scaled.": [
            _rrdb(lambda rrdb, x: x + rrdb.residual_scale * (_chain(rrdb, x) - x)),
            _rrdb(lambda rrdb, x: (1 - rrdb.residual_scale) * x + rrdb.residual_scale * _chain(rrdb, x)),
        ],
        "You scaled twice. Each block already scales inside. How often should the outer skip scale?": (
            _rrdb(lambda rrdb, x: x + rrdb.residual_scale**2 * _chain(rrdb, x))
        ),
        "Your factor is always 0.2. Where can __init__ keep residual_scale for forward?": [
            _rrdb(lambda rrdb, x: x + 0.2 * _chain(rrdb, x)),
        ],
        "__init__ needs a third argument, residual_scale, with the default 0.2.": _WithoutScale,
        "You apply an activation after the sum, so it distorts x in every block.": [
            _rrdb(lambda rrdb, x: F.leaky_relu(_right(rrdb, x), 0.2)),
            _rrdb(lambda rrdb, x: F.relu(_right(rrdb, x))),
        ],
        "You subtract the output of the blocks. It should be added.": _rrdb(
            lambda rrdb, x: x - rrdb.residual_scale * _chain(rrdb, x)
        ),
        "Your block changes its input in place, so any code that uses the input again gets something else.": (
            _rrdb(lambda rrdb, x: x.add_(rrdb.residual_scale * _chain(rrdb, x)))
        ),
        "The values are correct, but the weights get no gradient. Is there a detach or no_grad?": _rrdb(
            lambda rrdb, x: x + rrdb.residual_scale * _chain(rrdb, x).detach()
        ),
    },
    also_accepted=[_rrdb(_right), _rrdb(lambda rrdb, x: torch.add(x, _chain(rrdb, x), alpha=rrdb.residual_scale))],
    fallback_messages={
        "the number of convolutions": "Three dense blocks of three convolutions each make nine, but here {given} run.",
        "the output": "The output is not x + residual_scale * third, where third is the output of the third block.",
    },
    reveal=False,
    hints=(
        "Create three blocks in __init__, and store residual_scale. In forward, pass x through them one after the "
        "other.",
        "nn.Sequential(*[...]) runs blocks in a row. Then add residual_scale times their output to x.",
    ),
)
