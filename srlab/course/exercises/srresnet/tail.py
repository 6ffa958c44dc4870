"""Lab 01: the tail of a network for SR, with its skip."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab.course.exercise import Answer, Exercise, filled, sample
from srlab.course.exercises.blocks import in_a_list, made_in_forward, variant
from srlab.course.exercises.networks import build, calls, set_weights, strays


class Tail(nn.Module):
    """conv 3x3, pixel shuffle, and the bilinear enlargement of LR added: the last step of many networks for SR."""

    def __init__(self, features: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(features, 3 * scale**2, 3, padding=1)

    def forward(self, features: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
        """Map ``(N, features, h, w)`` and ``(N, 3, h, w)`` to ``(N, 3, h * scale, w * scale)``."""
        detail = F.pixel_shuffle(self.conv(features), self.scale)
        return detail + F.interpolate(lr, scale_factor=self.scale, mode="bilinear", align_corners=False)


def _observe(answer: Answer, features: torch.Tensor, lr: torch.Tensor, scale: int) -> dict[str, Any]:
    tail = build(answer, features.shape[1], scale)
    shape = str(tuple(filled(tail(features, lr)).shape))
    made = calls(tail, features, lr)
    missed = strays(tail, features, lr)
    for call in made:
        for weights in call.weights:
            if weights is not None:
                weights.data = torch.zeros_like(weights)
    without = tail(features, lr)
    set_weights(tail, features, lr)
    return {
        "the shape": shape,
        "the bilinear enlargement": without,
        "the convolutions": ", ".join("x".join(map(str, call.weights[0].shape[2:])) for call in made),
        "where the weights are": missed,
        "the detail": tail(features, lr) - without,
    }


def _tail(forward: Callable[..., torch.Tensor], size: int = 3, channels: Callable[..., int] | None = None) -> Answer:
    """A class of tails with a forward of its own, and perhaps another convolution."""

    def conv(features: int, scale: int) -> nn.Module:
        out = channels(features, scale) if channels else 3 * scale**2
        return nn.Conv2d(features, out, size, padding=size // 2)

    return variant(Tail, forward, conv=conv)


def _detail(tail: Tail, features: torch.Tensor) -> torch.Tensor:
    return F.pixel_shuffle(tail.conv(features), tail.scale)


def _on(bend: Answer = torch.clone, **options: Any) -> Callable[..., torch.Tensor]:
    """The detail, perhaps bent, on an enlargement of another kind."""
    return lambda tail, features, lr: (
        bend(_detail(tail, features)) + F.interpolate(lr, scale_factor=tail.scale, **({"mode": "bilinear"} | options))
    )


def _fixed(scale: int) -> Answer:
    """The scale that a student has tried it with stands in the code."""

    class Fixed(Tail):
        def __init__(self, features: int, _: int) -> None:
            super().__init__(features, scale)

    return Fixed


EXERCISE = Exercise(
    Tail,
    level="medium",
    points=2,
    cases={
        "four times as large": (sample(2, 5, 6, 7, low=-1, seed=1), sample(2, 3, 6, 7), 4),
        "three times as large": (sample(1, 4, 5, 6, low=-1, seed=1), sample(1, 3, 5, 6), 3),
    },
    observe=_observe,
    known_mistakes={
        "With the convolution at zero nothing comes out. The tail should start from an enlargement of LR and add "
        "detail to it; where does `lr` come in?": _tail(lambda tail, features, lr: _detail(tail, features)),
        "LR was enlarged by repeating its pixels, which is what F.interpolate does unless it's told a mode. Which one "
        "is asked for?": _tail(_on(mode="nearest")),
        "LR was enlarged by bicubic interpolation. It would do as well, but bilinear is asked for.": (
            _tail(_on(mode="bicubic"))
        ),
        "The enlargement is a little stretched: align_corners=True puts the corner pixels onto the corners, so the "
        "picture no longer lies where LR does. Leave it out.": _tail(_on(align_corners=True)),
        "The result is cut off or bent: detail may be negative, and SR may leave [0, 1] while training. No activation "
        "and no clamp at the end.": [
            _tail(lambda tail, features, lr: _on()(tail, features, lr).clamp(0, 1)),
            _tail(lambda tail, features, lr: _on()(tail, features, lr).sigmoid()),
            _tail(lambda tail, features, lr: _on()(tail, features, lr).tanh()),
            _tail(lambda tail, features, lr: _on()(tail, features, lr).relu()),
            _tail(_on(bend=torch.relu)),
            _tail(lambda tail, features, lr: (_on()(tail, features, lr) + 1) / 2),
        ],
        "The shapes don't fit. The convolution should make scale x scale values for each of three colors, and lose no "
        "row or column; what is enlarged and added is `lr`. Print the shape of each.": [
            _tail(_on(), channels=lambda features, scale: 3),
            _tail(_on(), channels=lambda features, scale: 3 * scale),
            _tail(_on(), channels=lambda features, scale: scale**2),
            _tail(_on(), channels=lambda features, scale: features),
            _tail(_on(), channels=lambda features, scale: features * scale**2),
            _tail(lambda tail, features, lr: _on()(tail, features[..., 1:-1, 1:-1], lr)),
            _tail(lambda tail, features, lr: _on()(tail, features, features)),
            _tail(lambda tail, features, lr: _detail(tail, features) + F.interpolate(lr, tail.scale, mode="bilinear")),
        ],
        "The scale is fixed in your code. Take `scale`, which the tail is given when it's made.": [
            _fixed(4),
            _fixed(2),
        ],
        "The detail was enlarged by interpolation, so a convolution makes one value for a whole block of pixels. The "
        "pixel shuffle gives each pixel of the block a channel of its own.": _tail(
            lambda tail, features, lr: F.interpolate(
                tail.conv(features) + lr, scale_factor=tail.scale, mode="bilinear"
            ),
            channels=lambda features, scale: 3,
        ),
        "One 3x3 convolution is asked for. Yours has another size.": [_tail(_on(), size=1), _tail(_on(), size=5)],
        "The channels were shuffled in another order: three neighboring channels became the colors of one pixel. "
        "Pixel shuffle keeps the scale x scale channels of a color together.": _tail(
            lambda tail, features, lr: (
                F.pixel_shuffle(tail.conv(features).unflatten(1, (-1, 3)).transpose(1, 2).flatten(1, 2), tail.scale)
                + F.interpolate(lr, scale_factor=tail.scale, mode="bilinear")
            )
        ),
        "The layer is in a plain Python list (or a dict), where PyTorch doesn't look: parameters() leaves it out, so "
        "no optimizer would train it. Give it a name, such as self.conv.": in_a_list(Tail),
        "The layer is made in forward, so each call starts with new random weights and nothing that is learned is "
        "kept. Make it once, in __init__.": made_in_forward(Tail),
    },
    also_accepted=[
        _tail(
            lambda tail, features, lr: (
                nn.Upsample(scale_factor=tail.scale, mode="bilinear")(lr)
                + nn.PixelShuffle(tail.scale)(tail.conv(features))
            )
        ),
        _tail(_on(size=None, antialias=False)),
    ],
    fallback_messages={
        "the bilinear enlargement": "With the convolution at zero, the bilinear enlargement of LR should remain.",
        "the convolutions": "One 3x3 convolution is asked for, but the tail uses {given}.",
        "where the weights are": "Some weights are not among the tail's parameters().",
        "the detail": "What is added to the bilinear enlargement should be the shuffled output of the convolution "
        "as it is.",
    },
    hints=(
        "Two things are added: an enlargement of LR that needs no learning, and detail made of the features.",
        "The detail: a 3x3 convolution from `features` to 3 * scale**2 channels, then F.pixel_shuffle. The "
        "enlargement: F.interpolate with scale_factor=scale and mode='bilinear'.",
    ),
)
