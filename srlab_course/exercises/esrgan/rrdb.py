"""Lab 04: the residual-in-residual dense block."""

from typing import Any

import torch
import torch.nn as nn

from srlab_course.exercises.esrgan.dense_block import DenseBlock
from srlab_course.exercises.networks import MESSAGES, build, observe_network, reaches
from srlab_course.feedback.exercise import Answer, Exercise, sample


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
    observed = observe_network(block, x)
    observed.pop("the output with all convolutions at zero")  # is also x or 1.2 * x in blocks with other mistakes
    names = sorted({name.partition(".conv")[0] for name in block.state_dict()})
    return observed | {
        "the names of the weights": ", ".join(names),
        "a gradient": reaches(block(x).sum(), block.parameters()),
    }


EXERCISE = Exercise(
    RRDB,
    level="easy",
    points=2,
    cases={
        "three dense blocks in a row, and x + 0.2 times their output": (sample(2, 6, 5, 7, low=-1), 4),
        "a different residual_scale": (sample(2, 6, 5, 7, low=-1, seed=1), 4, 0.5),
    },
    observe=_observe,
    fallback_messages=MESSAGES
    | {"the number of convolutions": "Three dense blocks of five convolutions each make 15, but here {given} run."},
    tolerance=1e-3,
    reveal=False,
)
