"""Lab 04: what each of the joined maps contributes to a convolution."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.feedback.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


def contributions(conv: nn.Conv2d, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Split the output of a convolution of joined maps into one part per map.

    Parameters
    ----------
    conv
        Convolution of ``torch.cat(maps, 1)``, with a bias.
    maps
        Maps ``(N, C, h, w)`` of different numbers of channels, in the order in which they are joined.

    Returns
    -------
    list of torch.Tensor
        One part ``(N, conv.out_channels, h, w)`` per map. Their sum is the output of `conv` without its bias.
    """
    parts, start = [], 0
    for seen in maps:
        end = start + seen.shape[1]
        parts.append(F.conv2d(seen, conv.weight[:, start:end], padding=conv.padding))
        start = end
    return parts


def _case(*channels: int, seed: int) -> Callable[[], tuple[Any, ...]]:
    def inputs() -> tuple[Any, ...]:
        conv = nn.Conv2d(sum(channels), 4, 3, padding=1)
        conv.weight.data = sample(*conv.weight.shape, low=-1, seed=seed)
        conv.bias.data = sample(4, low=0.5, high=2, seed=seed + 1)
        return conv, [sample(2, count, 5, 6, low=-1, seed=seed + count) for count in channels]

    return inputs


def _observe(answer: Answer, conv: nn.Conv2d, maps: list[torch.Tensor]) -> dict[str, Any]:
    weight, bias = conv.weight.detach().clone(), conv.bias.detach().clone()
    result = filled(answer(conv, maps))
    if isinstance(result, torch.Tensor):
        result = list(result) if result.ndim == 5 else [result]
    if not isinstance(result, list | tuple):
        raise IncorrectAnswer("The result should be a list of tensors, one for each map.")
    parts = [filled(part) for part in result]
    if not all(isinstance(part, torch.Tensor) for part in parts):
        raise IncorrectAnswer("The result should be a list of tensors, one for each map.")
    return {
        "the number of parts": len(parts),
        "the shapes": ", ".join(str(tuple(part.shape)) for part in parts),
        "the parts": torch.cat([part.detach().flatten() for part in parts]),
        "the convolution is unchanged": torch.equal(conv.weight, weight)
        and conv.bias is not None
        and torch.equal(conv.bias, bias),
    }


EXERCISE = Exercise(
    contributions,
    level="medium",
    points=3,
    cases={
        "five maps, as in a dense block": _case(6, 3, 3, 3, 3, seed=1),
        "maps of different sizes": _case(2, 5, 1, seed=20),
    },
    observe=_observe,
    reveal=False,
)
