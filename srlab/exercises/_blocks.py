"""The exercise of lab 02 about where a ResNet is cut: its blocks counted through all stages."""

from collections.abc import Callable, Sequence
from itertools import chain

import torch.nn as nn

from srlab.exercises._steps import Answer, Exercise, Wrong, filled


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


def _flat(stages: Sequence[Sequence[nn.Module]]) -> list[nn.Module]:
    return list(chain.from_iterable(stages))


def _stages(counts: Sequence[int]) -> list[list[nn.Module]]:
    return [[nn.Identity() for _ in range(count)] for count in counts]


def _until_full(stages: Sequence[list[nn.Module]], count: int) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for stage in stages:
        if len(blocks) < count:
            blocks += stage
    return blocks


_Cut = Callable[[Sequence[list[nn.Module]], int], list[nn.Module]]
_BOTH = (
    "Whole stages were counted, and from the second one on. A published study of content losses did the same, and "
    "its 'block 3' and 'block 5' were the same 13 blocks. A stage is a list of blocks; what is counted here?"
)
_BLOCK_MISTAKES: tuple[tuple[str, _Cut], ...] = (
    (
        "`count` counts whole stages in your answer, but a stage holds several blocks.",
        lambda stages, count: _flat(stages[:count]),
    ),
    (_BOTH, lambda stages, count: _flat(stages[1 : count + 1])),
    (_BOTH, lambda stages, count: _flat(stages[1 : count + 2])),
    (
        "The blocks start at the second stage. They are counted through all stages, and the first has its share.",
        lambda stages, count: _flat(stages[1:])[:count],
    ),
    (
        "It is that many blocks of each stage. The count runs on through all stages, and does not start again.",
        lambda stages, count: [block for stage in stages for block in stage[:count]],
    ),
    ("Only the first stage is looked at. Where do the blocks after it come from?", lambda s, count: s[0][:count]),
    ("One block is missing at the end.", lambda stages, count: _flat(stages)[: count - 1]),
    (
        "That is one block more than was asked for.",
        lambda stages, count: _flat(stages)[: count + 1],
    ),
    (
        "The first block is missing: `count` blocks, and not the places 1 to `count` of a list that starts at 0.",
        lambda stages, count: _flat(stages)[1 : count + 1],
    ),
    (
        "The last stage was taken to its end. A count may also end in the middle of a stage.",
        _until_full,
    ),
    (
        "These are the last blocks. An image goes through the first ones first.",
        lambda stages, count: _flat(stages)[-count:],
    ),
    (
        "The blocks are in the opposite order.",
        lambda stages, count: _flat(stages)[:count][::-1],
    ),
    (
        "That is one block of each stage. All blocks of a stage count.",
        lambda stages, count: [s[0] for s in stages][:count],
    ),
)


def _place(stages: Sequence[Sequence[nn.Module]], wanted: object) -> str:
    for number, stage in enumerate(stages, start=1):
        for place, block in enumerate(stage, start=1):
            if block is wanted:
                return f"block {place} of stage {number}"
    return "something else"


def _blocks(counts: Sequence[int], *asked: int) -> Answer:
    def step(answer: Answer) -> None:
        stages = _stages(counts)
        results = [_taken(answer, stages, count) for count in asked]
        pairs = list(zip(asked, results, strict=True))
        if (wrong := next((p for p in pairs if not _same(p[1], resnet_blocks(stages, p[0]))), None)) is None:
            return
        count, blocks = wrong
        fitting = [(hint, rule) for hint, rule in _BLOCK_MISTAKES if _same(blocks, rule(stages, count))]
        # Several mistakes may come to the same blocks: one that also explains the other answers is likelier.
        everywhere = [
            hint
            for hint, rule in fitting
            if all(_same(found, rule(stages, n)) or _same(found, resnet_blocks(stages, n)) for n, found in pairs)
        ]
        if hints := [*everywhere, *(hint for hint, _ in fitting)]:
            raise Wrong(f"With count={count}: {hints[0]}")
        wanted, said = resnet_blocks(stages, count), f"With count={count} the result has {len(blocks)} blocks"
        first = next((i for i, (a, b) in enumerate(zip(blocks, wanted, strict=False)) if a is not b), None)
        if first is None:
            raise Wrong(f"{said}.")
        there, should = _place(stages, blocks[first]), _place(stages, wanted[first])
        raise Wrong(f"{said}. At place {first} should be {should}, but there is {there}.")

    return step


def _taken(answer: Answer, stages: Sequence[list[nn.Module]], count: int) -> list[object]:
    """The answer's blocks, as a list of their own."""
    given = [list(stage) for stage in stages]
    result = filled(answer(given, count))
    if given != stages:
        raise Wrong("The stages were changed in place, so the network has lost some of its blocks.")
    if isinstance(result, nn.Identity):
        raise Wrong(f"That is a single one, {_place(stages, result)}. All blocks up to it are needed.")
    try:
        blocks = list(result)
    except TypeError as error:
        raise Wrong(f"The result should be a list of blocks, but is a {type(result).__name__}.") from error
    if blocks and isinstance(blocks[0], (list, tuple, nn.Sequential)):
        raise Wrong("The result is a list of lists. It should be one list, with the blocks themselves in it.")
    return blocks


def _same(blocks: Sequence[object], wanted: Sequence[object]) -> bool:
    return len(blocks) == len(wanted) and all(a is b for a, b in zip(blocks, wanted, strict=True))


EXERCISES = {
    "content_loss.resnet_blocks": Exercise(
        resnet_blocks,
        (
            ("within the first stage of ResNet34", _blocks((3, 4, 6, 3), 2, 1)),
            ("3 and 5 blocks of ResNet34", _blocks((3, 4, 6, 3), 3, 5)),
            ("any number, up to all", _blocks((3, 4, 6, 3), 1, 7, 9, 16)),
            ("another network", _blocks((2, 2, 2, 2), 4, 7)),
        ),
        "easy",
        (
            "The blocks of all stages are one long list, if you put the stages one behind the other.",
            "itertools.chain or two loops make that list; a slice takes its start.",
        ),
    ),
}
