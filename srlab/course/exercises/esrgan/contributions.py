"""Lab 04: what each of the joined maps contributes to a convolution."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample


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


def _alone(conv: nn.Conv2d, maps: Sequence[torch.Tensor], place: int) -> torch.Tensor:
    """Return the output, with its bias, when all maps but one are 0."""
    kept = [seen if number == place else torch.zeros_like(seen) for number, seen in enumerate(maps)]
    return conv(torch.cat(kept, 1))


def _parts(part: Callable[[nn.Conv2d, torch.Tensor, int, int], torch.Tensor]) -> Answer:
    """Return an answer with a different part for a map and its place among the channels."""

    def answer(conv: nn.Conv2d, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        found, start = [], 0
        for seen in maps:
            found.append(part(conv, seen, start, start + seen.shape[1]))
            start += seen.shape[1]
        return found

    return answer


def _zeroing(conv: nn.Conv2d, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        conv.bias.zero_()
        return [_alone(conv, maps, place) for place in range(len(maps))]


def _without_bias(conv: nn.Conv2d, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    conv.bias = None
    return [_alone(conv, maps, place) for place in range(len(maps))]


EXERCISE = Exercise(
    contributions,
    level="medium",
    points=3,
    cases={
        "five maps, as in a dense block": _case(6, 3, 3, 3, 3, seed=1),
        "maps of different sizes": _case(2, 5, 1, seed=20),
    },
    observe=_observe,
    known_mistakes={
        "Each of your parts contains the bias, so their sum contains it as often as there are maps. Whose is it?": [
            _parts(
                lambda conv, seen, start, end: F.conv2d(
                    seen, conv.weight[:, start:end], conv.bias, padding=conv.padding
                )
            ),
            lambda conv, maps: [_alone(conv, maps, place) for place in range(len(maps))],
        ],
        "You share out the bias. A bias comes from no map, so leave it out.": _parts(
            lambda conv, seen, start, end: (
                F.conv2d(seen, conv.weight[:, start:end], padding=conv.padding)
                + conv.bias[:, None, None] * seen.shape[1] / conv.in_channels
            )
        ),
        "Without padding, your parts are smaller than the output of the convolution. Its padding is conv.padding.": (
            _parts(lambda conv, seen, start, end: F.conv2d(seen, conv.weight[:, start:end]))
        ),
        "Every map gets the weights of the first channels. Which channels of the joined maps does it have?": _parts(
            lambda conv, seen, start, end: F.conv2d(seen, conv.weight[:, : end - start], padding=conv.padding)
        ),
        "Your weights are assigned from the last channels to the first. The first map has the first channels.": _parts(
            lambda conv, seen, start, end: F.conv2d(
                seen, conv.weight[:, conv.in_channels - end : conv.in_channels - start], padding=conv.padding
            )
        ),
        "Your parts are sums over all maps up to each of them. Each part should come from one map.": (
            lambda conv, maps: [
                F.conv2d(
                    torch.cat(maps[: place + 1], 1),
                    conv.weight[:, : sum(seen.shape[1] for seen in maps[: place + 1])],
                    padding=conv.padding,
                )
                for place in range(len(maps))
            ]
        ),
        "A part is what is missing without its map, or what comes from this map only. You return what the other maps "
        "make together.": (
            lambda conv, maps: [
                sum(part for other, part in enumerate(contributions(conv, maps)) if other != place)
                for place in range(len(maps))
            ]
        ),
        "You cut the weights along the wrong axis, or into pieces of equal size. In (out, in, 3, 3), which axis "
        "belongs to the joined maps, and how many channels has each of them?": [
            _parts(lambda conv, seen, start, end: F.conv2d(seen, conv.weight[start:end], padding=conv.padding)),
            lambda conv, maps: [
                F.conv2d(seen, weight, padding=1)
                for seen, weight in zip(maps, conv.weight.chunk(len(maps), 1), strict=False)
            ],
        ],
        "You return the sum of the parts. The question is what each map contributes, so return a list.": (
            lambda conv, maps: sum(contributions(conv, maps))
        ),
        "You return the whole convolution's output, which doesn't tell one map from another.": (
            lambda conv, maps: conv(torch.cat(maps, 1))
        ),
        "You return one number per part. The lab measures the size itself, so return the maps.": (
            lambda conv, maps: [part.square().mean().sqrt() for part in contributions(conv, maps)]
        ),
        "You changed the convolution, and the network would go on with that. Use its weights, and leave them as they "
        "are.": [_zeroing, _without_bias],
    },
    also_accepted=[
        lambda conv, maps: [
            _alone(conv, maps, place) - conv(torch.zeros_like(torch.cat(maps, 1))) for place in range(len(maps))
        ],
        lambda conv, maps: [
            F.conv2d(seen, weight, padding=1)
            for seen, weight in zip(maps, conv.weight.split([seen.shape[1] for seen in maps], 1), strict=True)
        ],
        lambda conv, maps: [
            conv(torch.cat(maps, 1))
            - conv(torch.cat([torch.zeros_like(m) if n == place else m for n, m in enumerate(maps)], 1))
            for place in range(len(maps))
        ],
        lambda conv, maps: torch.stack(contributions(conv, maps)),
    ],
    fallback_messages={
        "the number of parts": "There should be one part for each map, but you return {given}.",
        "the shapes": "Each part should have the shape of the convolution's output, but yours are {given}.",
        "the parts": "The shapes are right, but the values aren't. Which channels of the weights see which map?",
    },
    reveal=False,
    hints=(
        "A convolution is a sum over its input channels. So you can cut it into groups of channels, and add up the "
        "groups afterwards. Which channels belong to the first map?",
        "conv.weight has the shape (out, in, 3, 3), and F.conv2d convolves a map with any weights. Cut the second axis "
        "as the maps are joined, use the same padding, and leave out the bias.",
    ),
)
