"""Lab 02: where a ResNet is cut."""

from collections.abc import Iterable, Sequence
from itertools import chain

import torch.nn as nn

from srlab.exercises import Answer, Exercise, Wrong, filled


def resnet_blocks(stages: Sequence[Sequence[nn.Module]], count: int) -> list[nn.Module]:
    """Take the first residual blocks of a ResNet, counted through all of its stages.

    Parameters
    ----------
    stages
        The blocks of each stage, in order.
    count
        How many blocks.

    Returns
    -------
    list of torch.nn.Module
        The first `count` of them.
    """
    return list(chain.from_iterable(stages))[:count]


def _observe(answer: Answer, stages: list[list[nn.Module]], count: int) -> dict[str, list[str]]:
    names = {
        id(block): f"block {place} of stage {number}"
        for number, stage in enumerate(stages, start=1)
        for place, block in enumerate(stage, start=1)
    }
    result = filled(answer(stages, count))
    blocks = [result] if id(result) in names else result
    if not isinstance(blocks, Iterable):
        raise Wrong(f"The result should be a list of blocks, but is a {type(result).__name__}.")
    return {f"count={count}": [names.get(id(block), "something else") for block in blocks]}


def _stages(*counts: int) -> list[list[nn.Module]]:
    return [[nn.Identity() for _ in range(count)] for count in counts]


def _whole_stages(stages: Sequence[Sequence[nn.Module]], count: int) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for stage in stages:
        if len(blocks) < count:
            blocks += stage
    return blocks


_ALL = 16  # blocks of ResNet34, and more than ResNet18 has

EXERCISE = Exercise(
    resnet_blocks,
    level="easy",
    cases={
        "two blocks of ResNet34, within its first stage": (_stages(3, 4, 6, 3), 2),
        "five blocks": (_stages(3, 4, 6, 3), 5),
        "all sixteen": (_stages(3, 4, 6, 3), 16),
        "another network": (_stages(2, 2, 2, 2), 4),
    },
    observe=_observe,
    mistakes={
        "`count` counts whole stages in your answer, but a stage holds several blocks.": (
            lambda stages, count: resnet_blocks(stages[:count], _ALL)
        ),
        "Whole stages were counted, and from the second one on. A published study of content losses did the same, and "
        "its 'block 3' and 'block 5' were the same 13 blocks. A stage is a list of blocks; what is counted here?": [
            lambda stages, count: resnet_blocks(stages[1 : count + 1], _ALL),
            lambda stages, count: resnet_blocks(stages[1 : count + 2], _ALL),
        ],
        "The blocks start at the second stage. They are counted through all stages, and the first has its share.": (
            lambda stages, count: resnet_blocks(stages[1:], count)
        ),
        "It is that many blocks of each stage. The count runs on through all stages, and does not start again.": (
            lambda stages, count: [block for stage in stages for block in stage[:count]]
        ),
        "That is one block of each stage. All blocks of a stage count.": (
            lambda stages, count: [stage[0] for stage in stages][:count]
        ),
        "Only the first stage is looked at. Where do the blocks after it come from?": (
            lambda stages, count: stages[0][:count]
        ),
        "One block is missing at the end.": lambda stages, count: resnet_blocks(stages, count - 1),
        "That is one block more than was asked for.": lambda stages, count: resnet_blocks(stages, count + 1),
        "The first block is missing: `count` blocks, and not the places 1 to `count` of a list that starts at 0.": (
            lambda stages, count: resnet_blocks(stages, count + 1)[1:]
        ),
        "The last stage was taken to its end. A count may also end in the middle of a stage.": _whole_stages,
        "These are the last blocks. An image goes through the first ones first.": (
            lambda stages, count: resnet_blocks(stages, _ALL)[-count:]
        ),
        "The blocks are in the opposite order.": lambda stages, count: resnet_blocks(stages, count)[::-1],
        "That is a single block. All blocks up to it are needed.": lambda stages, count: resnet_blocks(stages, count)[
            -1
        ],
        "The result is a list of lists. It should be one list, with the blocks themselves in it.": (
            lambda stages, count: stages[:count]
        ),
    },
    also_right=[lambda stages, count: nn.Sequential(*resnet_blocks(stages, _ALL))[:count]],
    hints=(
        "The blocks of all stages are one long list, if you put the stages one behind the other.",
        "itertools.chain or two loops make that list; a slice takes its start.",
    ),
)
